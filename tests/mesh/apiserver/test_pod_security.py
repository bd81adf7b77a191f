"""PodSecurity and the other plugins about pods and storage, over the wire."""

from typing import Any

import orjson
import pytest

from kybern.apiserver.admission.configuration import AdmissionConfiguration
from kybern.apiserver.core.pod_security.policy import Exemptions, LevelVersion, Policy
from kybern.client.objects import Client
from kybern.client.resources import (
    DEPLOYMENTS,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    SERVICE_ACCOUNTS,
    STORAGE_CLASSES,
    Resource,
)
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb

ENFORCE, WARN = "pod-security.kubernetes.io/enforce", "pod-security.kubernetes.io/warn"
SPEC = {"containers": [{"name": "c", "image": "i"}]}


async def refused(awaitable: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


async def namespace(admin: Client, name: str, **labels: str) -> Any:
    wanted = {f"pod-security.kubernetes.io/{key}": value for key, value in labels.items()}
    made = await admin.create(NAMESPACES, {"metadata": {"name": name, "labels": wanted}})
    await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default", "namespace": name}})
    return made


async def warnings(admin: Client, resource: Resource, obj: Any, verb: str = "create") -> list[str]:
    """The warnings that a write comes with."""
    where = pb.Resource(group=resource.group, version=resource.version, resource=resource.resource)
    where.namespace = obj["metadata"].get("namespace", "")
    body = orjson.dumps({"apiVersion": resource.api_version, "kind": resource.kind, **obj})
    kinds = {"create": pb.CreateRequest, "update": pb.UpdateRequest}
    request = kinds[verb](resource=where, name=obj["metadata"]["name"], object=body)
    response = await admin.calls.call(verb, request, "", 5.0)
    return [*response.warnings]


async def test_pods_keep_to_what_their_namespace_enforces(admin: Client) -> None:
    await namespace(admin, "base", enforce="baseline", **{"enforce-version": "v1.36"})
    metadata = {"name": "p", "namespace": "base"}
    error = await refused(admin.create(PODS, {"metadata": metadata, "spec": {**SPEC, "hostNetwork": True}}))
    assert error.code == 403
    assert error.message == (
        'pods "p" is forbidden: violates PodSecurity "baseline:v1.36": host namespaces (hostNetwork=true)'
    )
    await admin.create(PODS, {"metadata": metadata, "spec": SPEC})
    extra = {"name": "e", "image": "i", "securityContext": {"privileged": True}}
    patch = {"spec": {"ephemeralContainers": [extra]}}
    error = await refused(admin.patch(PODS, "p", "base", patch=patch, subresource="ephemeralcontainers"))
    assert 'privileged (container "e" must not set' in error.message


async def test_workloads_and_namespaces_come_with_warnings(admin: Client) -> None:
    made = await namespace(admin, "warned", warn="baseline")
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {**SPEC, "hostPID": True}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    said = await warnings(admin, DEPLOYMENTS, {"metadata": {"name": "d", "namespace": "warned"}, "spec": spec})
    assert said == ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)']
    await admin.create(PODS, {"metadata": {"name": "p", "namespace": "warned"}, "spec": {**SPEC, "hostPID": True}})
    made["metadata"]["labels"] |= {ENFORCE: "restricted"}
    assert await warnings(admin, NAMESPACES, made, "update") == [
        'existing pods in namespace "warned" violate the new PodSecurity enforce level "restricted:latest"',
        "p: host namespaces, allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, "
        "seccompProfile",
    ]


async def test_labels_must_be_readable(admin: Client) -> None:
    error = await refused(namespace(admin, "odd", enforce="strict"))
    assert error.code == 422
    assert error.message == (
        f'Namespace "odd" is invalid: metadata.labels[{ENFORCE}]: Invalid value: "strict": '
        "must be one of privileged, baseline, restricted"
    )
    made = await namespace(admin, "plain")
    made["metadata"]["labels"][WARN] = "x"
    assert (await refused(admin.update(NAMESPACES, made))).code == 422


async def test_volumes_and_claims_are_born_protected(admin: Client) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "s"}
    made = await admin.create(
        PERSISTENT_VOLUME_CLAIMS, {"metadata": {"name": "c", "namespace": "default"}, "spec": spec}
    )
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    volume = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}}
    created = await admin.create(PERSISTENT_VOLUMES, {"metadata": {"name": "v"}, "spec": volume})
    assert created["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]


async def test_a_claim_grows_where_its_class_allows_it(admin: Client) -> None:
    for name, grows in (("rigid", False), ("elastic", True)):
        body = {"metadata": {"name": name}, "provisioner": "example.com/x", "allowVolumeExpansion": grows}
        await admin.create(STORAGE_CLASSES, body)
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        spec |= {"storageClassName": name, "volumeName": "v"}
        metadata = {"name": name, "namespace": "default"}
        made = await admin.create(PERSISTENT_VOLUME_CLAIMS, {"metadata": metadata, "spec": spec})
        made["status"] = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
        await admin.update_status(PERSISTENT_VOLUME_CLAIMS, made)
    patch = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    error = await refused(admin.patch(PERSISTENT_VOLUME_CLAIMS, "rigid", "default", patch=patch))
    assert "only dynamically provisioned pvc can be resized" in error.message
    grown = await admin.patch(PERSISTENT_VOLUME_CLAIMS, "elastic", "default", patch=patch)
    assert grown["spec"]["resources"]["requests"]["storage"] == "2Gi"


async def test_a_bound_pod_gets_the_labels_of_its_zone(admin: Client) -> None:
    zone = {"topology.kubernetes.io/zone": "z1", "topology.kubernetes.io/region": "r1"}
    await admin.create(NODES, {"metadata": {"name": "n", "labels": {**zone, "other": "x"}}})
    await admin.create(PODS, {"metadata": {"name": "p", "namespace": "default", "labels": {"a": "b"}}, "spec": SPEC})
    await admin.create_subresource(
        PODS, "binding", "p", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}, "default"
    )
    assert (await admin.get(PODS, "p", "default"))["metadata"]["labels"] == {"a": "b", **zone}


async def test_defaults_exemptions_and_plugins_that_do_not_run(running: Any) -> None:
    configuration = AdmissionConfiguration(
        frozenset({"DefaultTolerationSeconds"}),
        Policy(enforce=LevelVersion("baseline")),
        Exemptions(namespaces=frozenset({"free"})),
    )
    async with running(admission=configuration) as cluster, cluster.client() as admin:
        await namespace(admin, "free")
        await namespace(admin, "strict")
        spec = {**SPEC, "hostPID": True}
        made = await admin.create(PODS, {"metadata": {"name": "p", "namespace": "free"}, "spec": spec})
        assert "tolerations" not in made["spec"]
        error = await refused(admin.create(PODS, {"metadata": {"name": "p", "namespace": "strict"}, "spec": spec}))
        assert 'violates PodSecurity "baseline:latest"' in error.message
        found = await admin.get(NAMESPACES, "free")
        found["metadata"]["labels"][ENFORCE] = "restricted"
        said = await warnings(admin, NAMESPACES, found, "update")
        assert said == [
            'namespace "free" is exempt from Pod Security, and the policy (enforce=restricted:latest) will be ignored'
        ]
