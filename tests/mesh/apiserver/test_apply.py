"""Server-side apply over the wire: create, merge, conflict, force, status, no-ops, and ordinary writes between."""

from typing import Any

import orjson
import pytest

from kybern.client.objects import APPLY_PATCH, Client
from kybern.client.resources import CONFIG_MAPS, DEPLOYMENTS
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
    template["spec"]["containers"][0]["image"] = "2"  # type: ignore[index]
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
