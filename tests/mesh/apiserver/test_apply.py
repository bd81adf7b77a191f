"""Server-side apply over the wire: create, merge, conflict, force, status, no-ops, and ordinary writes between."""

import asyncio
from typing import Any

import orjson
import pytest

from kybern.client.objects import APPLY_PATCH, Client
from kybern.client.resources import CONFIG_MAPS, DEPLOYMENTS, PODS, Resource
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb


async def apply(
    client: Client, resource: Any, body: str | dict[str, Any], manager: str = "kubectl", **options: Any
) -> Any:
    """One apply of YAML or JSON to the object named in it."""
    name = options.pop("name", "a")
    subresource = options.pop("subresource", "")
    data = body.encode() if isinstance(body, str) else orjson.dumps(body)
    request = pb.PatchRequest(
        resource=pb.Resource(
            group=resource.group, version=resource.version, resource=resource.resource, namespace="default",
            subresource=subresource,
        ),
        name=name, patch_type=APPLY_PATCH, patch=data, force=options.pop("force", False),
        options=pb.WriteOptions(field_manager=manager, **options),
    )  # fmt: skip
    response = await client.calls.call("patch", request, "", 5)
    return orjson.loads(response.object), response.created


def config_map(**data: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": data}


async def test_create_then_change(admin: Client) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {x: 'y'}\ndata: {a: '1', b: '2'}\n"
    made, created = await apply(admin, CONFIG_MAPS, text)
    assert created
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("kubectl", "Apply", "v1")
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}, "f:b": {}}, "f:metadata": {"f:labels": {"f:x": {}}}}
    again, created = await apply(admin, CONFIG_MAPS, text)
    assert not created
    assert again == made
    changed, _ = await apply(admin, CONFIG_MAPS, config_map(a="3"))
    assert changed["data"] == {"a": "3"}
    assert "labels" not in changed["metadata"]


async def test_conflicts_with_ordinary_writers(admin: Client) -> None:
    await apply(admin, CONFIG_MAPS, config_map(a="1"))
    admin.field_manager = "editor"
    await admin.patch(CONFIG_MAPS, "a", "default", patch={"data": {"a": "2", "c": "3"}})
    with pytest.raises(StatusError) as caught:
        await apply(admin, CONFIG_MAPS, config_map(a="1"))
    assert caught.value.reason == "Conflict"
    assert caught.value.message.startswith('Apply failed with 1 conflict: conflict with "editor" using v1: ')
    assert caught.value.message.endswith(": .data.a")
    assert caught.value.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "editor" using v1', "field": ".data.a"}
    ]
    forced, _ = await apply(admin, CONFIG_MAPS, config_map(a="1"), force=True)
    assert forced["data"] == {"a": "1", "c": "3"}
    assert {entry["manager"] for entry in forced["metadata"]["managedFields"]} == {"kubectl", "editor"}


async def test_what_was_there_before_the_first_apply(admin: Client) -> None:
    made = await admin.create(CONFIG_MAPS, {**config_map(a="1"), "metadata": {"name": "a", "namespace": "default"}})
    made["metadata"]["managedFields"] = []
    reset = await admin.update(CONFIG_MAPS, made)
    assert "managedFields" not in reset["metadata"]
    with pytest.raises(StatusError, match='conflict with "before-first-apply" using v1: '):
        await apply(admin, CONFIG_MAPS, config_map(a="2"))
    merged, _ = await apply(admin, CONFIG_MAPS, config_map(a="1", b="2"))
    assert merged["data"] == {"a": "1", "b": "2"}


async def test_kubectl_takes_over_its_own_client_side_apply(admin: Client) -> None:
    metadata = {"name": "a", "namespace": "default"}
    last = orjson.dumps({**config_map(a="1"), "metadata": metadata}).decode()
    note = {"kubectl.kubernetes.io/last-applied-configuration": last}
    await admin.create(CONFIG_MAPS, {**config_map(a="1"), "metadata": {**metadata, "annotations": note}})
    changed, _ = await apply(admin, CONFIG_MAPS, config_map(a="2"))
    assert changed["data"] == {"a": "2"}


async def test_a_deployment_and_its_defaults(admin: Client) -> None:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "1"}]}}
    body = {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "a"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    made, _ = await apply(admin, DEPLOYMENTS, body)
    assert made["spec"]["replicas"] == 1
    await admin.patch(DEPLOYMENTS, "a", "default", patch={"spec": {"replicas": 4}}, subresource="scale")
    template["spec"]["containers"][0]["image"] = "2"
    changed, _ = await apply(admin, DEPLOYMENTS, body)
    assert changed["spec"]["replicas"] == 4
    assert changed["spec"]["template"]["spec"]["containers"][0]["image"] == "2"
    assert changed["metadata"]["generation"] == 3
    status = {**body, "status": {"replicas": 2}}
    del status["spec"]
    with_status, _ = await apply(admin, DEPLOYMENTS, status, "controller", subresource="status")
    assert with_status["status"]["replicas"] == 2
    assert with_status["spec"] == changed["spec"]


@pytest.mark.parametrize(
    ("body", "manager", "words"),
    [
        (config_map(), "", "fieldManager: Required value: is required for apply patch"),
        ({**config_map(), "metadata": {"name": "b"}}, "x", "does not match the name on the URL"),
        ({**config_map(), "metadata": {"name": "a", "managedFields": [{}]}}, "x", "metadata.managedFields must be nil"),
        ("a: [", "x", "error decoding YAML"),
        ({**config_map(), "kind": "Pod"}, "x", "invalid object type: /v1, Kind=Pod"),
    ],
)
async def test_refused(admin: Client, body: Any, manager: str, words: str) -> None:
    with pytest.raises(StatusError) as caught:
        await apply(admin, CONFIG_MAPS, body, manager)
    assert words in caught.value.message


async def test_an_apply_needs_the_right_to_create(admin: Client, cluster: Any) -> None:
    from kybern.client.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES

    rules = [{"verbs": ["patch"], "apiGroups": [""], "resources": ["configmaps"]}]
    await admin.create(CLUSTER_ROLES, {"metadata": {"name": "r"}, "rules": rules})
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}
    subjects = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "bob"}]
    await admin.create(CLUSTER_ROLE_BINDINGS, {"metadata": {"name": "r"}, "roleRef": ref, "subjects": subjects})
    bob = cluster.client("bob")
    with pytest.raises(StatusError, match='cannot create resource "configmaps"'):
        await apply(bob, CONFIG_MAPS, config_map(a="1"))


def entries(obj: dict[str, Any]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(manager, operation, subresource) → fields."""
    rows = obj["metadata"].get("managedFields", ())
    return {(row["manager"], row["operation"], row.get("subresource", "")): row["fieldsV1"] for row in rows}


def pod(name: str = "a", **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "i", "ports": [{"containerPort": 80}]}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [container], **spec}}


async def test_every_write_is_tracked(admin: Client) -> None:
    admin.field_manager = "creator"
    made = await admin.create(PODS, pod())
    (fields,) = entries(made).values()
    container = fields["f:spec"]["f:containers"]['k:{"name":"c"}']
    assert container["f:ports"] == {
        ".": {},
        'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:protocol": {}},
    }
    assert "f:volumes" not in fields["f:spec"], "what admission adds is nobody's"
    assert "f:status" not in fields
    admin.field_manager = "agent"
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    running = await admin.patch(PODS, "a", "default", patch={"status": status}, subresource="status")
    agent = entries(running)["agent", "Update", "status"]
    times = {"f:lastProbeTime": {}, "f:lastTransitionTime": {}}  # always written, if only as null
    condition = {".": {}, **times, "f:status": {}, "f:type": {}}
    assert agent["f:status"] == {"f:conditions": {".": {}, 'k:{"type":"Ready"}': condition}, "f:phase": {}}
    assert entries(running)["creator", "Update", ""] == fields
    again = await admin.patch(PODS, "a", "default", patch={"status": status}, subresource="status")
    assert again == running
    bound = {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n"}}
    await admin.create_subresource(PODS, "binding", "a", bound, "default")
    assert entries(await admin.get(PODS, "a", "default")) == entries(running), "a binding belongs to nobody"


async def test_apply_through_scale(admin: Client) -> None:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "1"}]}}
    body = {
        "kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "a"},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }  # fmt: skip
    await apply(admin, DEPLOYMENTS, body, "owner")
    scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "a"}, "spec": {"replicas": 5}}
    with pytest.raises(StatusError) as caught:
        await apply(admin, DEPLOYMENTS, scale, "scaler", subresource="scale")
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "owner": .spec.replicas'
    scaled, _ = await apply(admin, DEPLOYMENTS, scale, "scaler", subresource="scale", force=True)
    assert scaled["spec"]["replicas"] == 5
    held = entries(await admin.get(DEPLOYMENTS, "a", "default"))
    assert held["scaler", "Apply", "scale"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in held["owner", "Apply", ""]["f:spec"]
    admin.field_manager = "hpa"
    await admin.patch(DEPLOYMENTS, "a", "default", patch={"spec": {"replicas": 6}}, subresource="scale")
    held = entries(await admin.get(DEPLOYMENTS, "a", "default"))
    assert held["hpa", "Update", "scale"] == {"f:spec": {"f:replicas": {}}}
    with pytest.raises(StatusError, match='conflict with "hpa" with subresource "scale" using autoscaling/v1'):
        await apply(admin, DEPLOYMENTS, scale, "scaler", subresource="scale")
    with pytest.raises(StatusError, match=r"\.spec\.bogus: field not declared in schema"):
        await apply(admin, DEPLOYMENTS, {**scale, "spec": {"bogus": 1}}, "scaler", subresource="scale")


async def test_a_dry_run_changes_nothing(admin: Client) -> None:
    seen, created = await apply(admin, CONFIG_MAPS, config_map(a="1"), dry_run=True)
    assert created
    assert seen["data"] == {"a": "1"}
    with pytest.raises(StatusError, match="not found"):
        await admin.get(CONFIG_MAPS, "a", "default")
    kept, _ = await apply(admin, CONFIG_MAPS, config_map(a="1"))
    seen, _ = await apply(admin, CONFIG_MAPS, config_map(a="2"), dry_run=True)
    assert seen["data"] == {"a": "2"}
    assert await admin.get(CONFIG_MAPS, "a", "default") == kept


async def test_who_comes_second_to_create_merges(admin: Client) -> None:
    bodies = [config_map(**{f"k{number}": "1"}) for number in range(5)]
    made = await asyncio.gather(*(apply(admin, CONFIG_MAPS, body, f"m{i}") for i, body in enumerate(bodies)))
    assert sum(created for _, created in made) == 1
    found = await admin.get(CONFIG_MAPS, "a", "default")
    assert found["data"] == {f"k{number}": "1" for number in range(5)}
    assert len(entries(found)) == 5


async def test_a_version_of_another_shape(admin: Client) -> None:
    v1, v2 = (Resource("autoscaling", v, "horizontalpodautoscalers", "HorizontalPodAutoscaler") for v in ("v1", "v2"))
    target = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}
    body = {"apiVersion": "autoscaling/v1", "kind": v1.kind, "metadata": {"name": "a"}, "spec": spec}
    made, _ = await apply(admin, v1, body, "old")
    assert entries(made)["old", "Apply", ""]["f:spec"].keys() == {f"f:{name}" for name in spec}
    newer = {"apiVersion": "autoscaling/v2", "kind": v2.kind, "metadata": {"name": "a"}, "spec": {"maxReplicas": 4}}
    with pytest.raises(StatusError, match=r'conflict with "old": \.spec.maxReplicas'):
        await apply(admin, v2, newer, "new")
    changed, _ = await apply(admin, v1, {**body, "spec": {**spec, "targetCPUUtilizationPercentage": 60}}, "old")
    assert changed["spec"]["targetCPUUtilizationPercentage"] == 60
    stored = await admin.get(v2, "a", "default")
    assert stored["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 60


async def test_who_writes_without_a_name(cluster: Any) -> None:
    controller = cluster.client("system:kube-scheduler", "system:masters")
    made = await controller.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}, "data": {"a": "1"}})
    assert entries(made).keys() == {("kube-scheduler", "Update", "")}


async def test_admission_cannot_spoil_managers(admin: Client, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def spoil(request: Any, operation: str, obj: dict[str, Any], old: Any) -> None:
        if obj["kind"] == "ConfigMap":
            obj["metadata"]["managedFields"] = [{"manager": "x", "operation": "Bogus"}]

    monkeypatch.setattr(cluster.server.admission, "mutate", spoil)
    admin.field_manager = "me"
    made = await admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}, "data": {"a": "1"}})
    assert entries(made).keys() == {("me", "Update", "")}
    changed, _ = await apply(admin, CONFIG_MAPS, config_map(b="1"))
    assert entries(changed).keys() == {("me", "Update", ""), ("kubectl", "Apply", "")}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": {"a": 1}}, ".data.a: expected string, got &value.valueUnstructured{Value:1}"),
        ({"bogus": 1}, "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .bogus: field not declared"),
        ({"apiVersion": "v2"}, "invalid object type: /v2, Kind=ConfigMap"),
        ({"metadata": {"name": "a", "namespace": "other"}}, "does not match the namespace sent on the request"),
        ({"metadata": {"name": True}}, "(/; /v1, Kind=ConfigMap): .metadata.name: expected string, got"),
        ({"metadata": {"name": "b"}, "data": []}, "(/b; /v1, Kind=ConfigMap): .data: expected map, got &{[]}"),
        ({"metadata": {"name": "a", "managedFields": [{}]}, "data": []}, "metadata.managedFields must be nil"),
        ({"metadata": {"name": "a", "managedFields": ["x"]}}, ".metadata.managedFields[0]: expected map, got &{x}"),
        ({"apiVersion": 1}, "invalid object type: /, Kind=ConfigMap"),
        ({"kind": 1}, "invalid object type: /v1, Kind="),
        (
            {"metadata": {"name": "a", "deletionTimestamp": 1}},
            "failed to convert new object (/a; /v1, Kind=ConfigMap) to proper version: unable to convert unstructured "
            "object to /v1, Kind=ConfigMap: json: cannot unmarshal number into Go value of type string",
        ),
        ({"metadata": {"name": "a", "uid": "x"}}, "uid mismatch: the provided object specified uid x"),
    ],
)
async def test_configurations_that_do_not_fit(admin: Client, change: dict[str, Any], words: str) -> None:
    with pytest.raises(StatusError) as caught:
        await apply(admin, CONFIG_MAPS, {**config_map(a="1"), **change})
    assert words in caught.value.message


async def test_keys_that_are_given_twice(admin: Client) -> None:
    repeated = ['line 1: key "a" already set in map', 'line 2: key "b" already set in map']
    with pytest.raises(StatusError) as caught:
        await apply(admin, CONFIG_MAPS, config_map(a="1"), field_validation="Strict", strict_errors=repeated)
    assert caught.value.message == (
        "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n"
        '  line 1: key "a" already set in map\n  line 2: key "b" already set in map'
    )
    await apply(admin, CONFIG_MAPS, config_map(a="1"), strict_errors=repeated)


async def test_another_uid_is_told(admin: Client) -> None:
    await apply(admin, CONFIG_MAPS, config_map(a="1"))
    with pytest.raises(StatusError) as caught:
        await apply(admin, CONFIG_MAPS, {**config_map(a="1"), "metadata": {"name": "a", "uid": "x"}})
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert [cause["field"] for cause in caught.value.status["details"]["causes"]] == ["metadata.uid"] * 2


async def test_names_and_force_are_checked(admin: Client) -> None:
    admin.field_manager = "x" * 129
    with pytest.raises(StatusError, match=r'CreateOptions\.meta\.k8s\.io "" is invalid: fieldManager: Too long'):
        await admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}})
    admin.field_manager = "x"
    with pytest.raises(StatusError, match="force: Forbidden: may not be specified for non-apply patch"):
        await admin.patch(CONFIG_MAPS, "a", "default", patch={}, force=True)
