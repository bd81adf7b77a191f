"""Admission plugins over the wire, beyond those that pods and namespaces show."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kybern.client.objects import STRATEGIC_MERGE_PATCH, Client
from kybern.client.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    INGRESS_CLASSES,
    INGRESSES,
    LIMIT_RANGES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    RUNTIME_CLASSES,
    STORAGE_CLASSES,
)
from kybern.kube.status import StatusError

RBAC = "rbac.authorization.k8s.io"
CERTIFICATES = "certificates.k8s.io"


async def refused(awaitable: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


def named(name: str, **annotations: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default", "annotations": annotations}}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {**named(name), "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


async def test_limit_ranges(admin: Client) -> None:
    item = {"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "500m"}, "max": {"cpu": "2"}}
    await admin.create(LIMIT_RANGES, {**named("l"), "spec": {"limits": [item]}})
    made = await admin.create(PODS, pod("a"))
    assert made["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "1"}, "requests": {"cpu": "500m"}}
    assert made["status"]["qosClass"] == "Burstable"
    big = {"name": "c", "image": "i", "resources": {"limits": {"cpu": "3"}}}
    error = await refused(admin.create(PODS, pod("b", containers=[big])))
    assert error.message == 'pods "b" is forbidden: maximum cpu usage per Container is 2, but limit is 3'


async def test_default_classes(admin: Client) -> None:
    mark = {"storageclass.kubernetes.io/is-default-class": "true"}
    for name, notes in (("slow", {}), ("fast", mark)):
        metadata = {"name": name, "annotations": notes}
        await admin.create(STORAGE_CLASSES, {"metadata": metadata, "provisioner": "example.com/x"})
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    assert (await admin.create(PERSISTENT_VOLUME_CLAIMS, {**named("a"), "spec": spec}))["spec"][
        "storageClassName"
    ] == "fast"
    none = {**spec, "storageClassName": ""}
    assert (await admin.create(PERSISTENT_VOLUME_CLAIMS, {**named("b"), "spec": none}))["spec"][
        "storageClassName"
    ] == ""
    metadata = {"name": "usual", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}
    await admin.create(INGRESS_CLASSES, {"metadata": metadata, "spec": {"controller": "example.com/x"}})
    backend = {"service": {"name": "s", "port": {"number": 80}}}
    made = await admin.create(INGRESSES, {**named("i"), "spec": {"defaultBackend": backend}})
    assert made["spec"]["ingressClassName"] == "usual"


async def test_runtime_classes(admin: Client) -> None:
    body = {"metadata": {"name": "vm"}, "handler": "vm", "overhead": {"podFixed": {"cpu": "100m"}}}
    await admin.create(RUNTIME_CLASSES, {**body, "scheduling": {"nodeSelector": {"vm": "yes"}}})
    made = await admin.create(PODS, pod("a", runtimeClassName="vm"))
    assert made["spec"]["overhead"] == {"cpu": "100m"}
    assert made["spec"]["nodeSelector"] == {"vm": "yes"}
    assert (
        'RuntimeClass "none" not found'
        in (await refused(admin.create(PODS, pod("b", runtimeClassName="none")))).message
    )
    error = await refused(admin.create(PODS, pod("c", runtimeClassName="vm", nodeSelector={"vm": "no"})))
    assert "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes" in error.message


def signing_request(organization: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    names = [
        x509.NameAttribute(NameOID.COMMON_NAME, "bob"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
    ]
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names)).sign(key, hashes.SHA256())
    return base64.b64encode(csr.public_bytes(serialization.Encoding.PEM)).decode()


async def test_certificates(admin: Client, cluster: Any) -> None:
    signer = "kubernetes.io/kube-apiserver-client"
    spec = {"request": signing_request("system:masters"), "signerName": signer, "usages": ["client auth"]}
    error = await refused(admin.create(CERTIFICATE_SIGNING_REQUESTS, {"metadata": {"name": "x"}, "spec": spec}))
    assert "with system:masters group is not allowed" in error.message
    spec["request"] = signing_request("devs")
    lie = {**spec, "username": "somebody"}
    made = await admin.create(CERTIFICATE_SIGNING_REQUESTS, {"metadata": {"name": "x"}, "spec": lie})
    assert made["spec"]["username"] == "admin"
    rules = [
        {"verbs": ["get", "update"], "apiGroups": [CERTIFICATES], "resources": ["certificatesigningrequests/approval"]}
    ]
    await admin.create(CLUSTER_ROLES, {"metadata": {"name": "r"}, "rules": rules})
    ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "r"}
    subjects = [{"kind": "User", "apiGroup": RBAC, "name": "bob"}]
    await admin.create(CLUSTER_ROLE_BINDINGS, {"metadata": {"name": "r"}, "roleRef": ref, "subjects": subjects})
    approved = {
        **made,
        "status": {"conditions": [{"type": "Approved", "status": "True", "reason": "x", "message": "y"}]},
    }
    bob = cluster.client("bob")
    error = await refused(bob.update(CERTIFICATE_SIGNING_REQUESTS, approved, subresource="approval"))
    assert error.message.endswith(f'user not permitted to approve requests with signerName "{signer}"')
    done = await admin.update(CERTIFICATE_SIGNING_REQUESTS, approved, subresource="approval")
    assert done["status"]["conditions"][0]["lastTransitionTime"]
    error = await refused(admin.update_status(CERTIFICATE_SIGNING_REQUESTS, {**done, "status": {}}))
    assert 'status.conditions: Forbidden: updates may not remove a condition of type "Approved"' in error.message


async def test_a_request_has_a_largest_size(admin: Client) -> None:
    error = await refused(admin.create(CONFIG_MAPS, {**named("a"), "data": {"x": "y" * (3 << 20)}}))
    assert error.code == 413


async def test_limit_ranges_bound_claims_and_resizes(admin: Client) -> None:
    claims = {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}
    pods = {"type": "Pod", "max": {"cpu": "2"}}
    await admin.create(LIMIT_RANGES, {**named("l"), "spec": {"limits": [claims, pods]}})
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
    error = await refused(admin.create(PERSISTENT_VOLUME_CLAIMS, {**named("c"), "spec": spec}))
    assert error.message == (
        'persistentvolumeclaims "c" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, '
        "but request is 2Gi"
    )
    one = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}}
    await admin.create(PODS, pod("p", containers=[one]))
    more = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "3"}, "limits": {"cpu": "3"}}}]}}
    error = await refused(
        admin.patch(PODS, "p", "default", patch=more, patch_type=STRATEGIC_MERGE_PATCH, subresource="resize")
    )
    assert "maximum cpu usage per Pod is 2, but limit is 3" in error.message


async def test_a_pod_is_not_made_larger_than_its_node(admin: Client) -> None:
    node = await admin.create(NODES, {"metadata": {"name": "n"}})
    node["status"] = {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "9"}}
    await admin.update_status(NODES, node)
    one = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}}
    await admin.create(PODS, pod("p", containers=[one], nodeName="n"))
    more = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "3"}, "limits": {"cpu": "3"}}}]}}
    error = await refused(
        admin.patch(PODS, "p", "default", patch=more, patch_type=STRATEGIC_MERGE_PATCH, subresource="resize")
    )
    assert error.message == (
        'pods "p" is forbidden: node didn\'t have enough allocatable resources: cpu, requested: 3000, allocatable: 2000'
    )
    assert error.details["causes"] == [{"reason": "NodeCapacity"}]


async def test_a_pod_is_changed_in_ways_that_its_node_can_follow(admin: Client) -> None:
    node = await admin.create(NODES, {"metadata": {"name": "n"}})
    node["status"] = {"allocatable": {"cpu": "4", "memory": "1Gi", "pods": "9"}}
    node = await admin.update_status(NODES, node)
    asked = {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}
    inits = [{"name": "i", "image": "i", "resources": asked}]
    await admin.create(PODS, pod("p", initContainers=inits, nodeName="n"))
    more = {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}
    change = {"spec": {"initContainers": [{"name": "i", "resources": more}]}}

    async def resize() -> Any:
        return await admin.patch(
            PODS, "p", "default", patch=change, patch_type=STRATEGIC_MERGE_PATCH, subresource="resize"
        )

    error = await refused(resize())
    assert (error.code, error.message) == (
        403,
        'pods "p" is forbidden: pod update requires features InPlacePodVerticalScalingInitContainers which are not '
        'available on node "n"',
    )
    node["status"]["declaredFeatures"] = ["InPlacePodVerticalScalingInitContainers"]
    await admin.update_status(NODES, node)
    assert (await resize())["spec"]["initContainers"][0]["resources"] == more
    await admin.delete(NODES, "n")
    change["spec"]["initContainers"][0]["resources"] = asked
    assert (await refused(resize())).message == 'pods "p" is forbidden: node "n" not found'


async def test_overhead_needs_a_runtime_class_that_has_it(admin: Client) -> None:
    await admin.create(RUNTIME_CLASSES, {"metadata": {"name": "bare"}, "handler": "h"})
    why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
    for spec in ({"overhead": {"cpu": "1"}}, {"overhead": {"cpu": "1"}, "runtimeClassName": "bare"}):
        assert why in (await refused(admin.create(PODS, pod("p", **spec)))).message
    body = {"metadata": {"name": "vm"}, "handler": "vm", "overhead": {"podFixed": {"cpu": "1"}}}
    await admin.create(RUNTIME_CLASSES, body)
    made = await admin.create(PODS, pod("p", runtimeClassName="vm", overhead={"cpu": "1000m"}))
    assert made["spec"]["overhead"] == {"cpu": "1"}
