"""What new objects and patches say of themselves: generations, prefixes, versions, uids, empty lists."""

from typing import Any

import orjson
import pytest

from kybern.client.objects import APPLY_PATCH, MERGE_PATCH, Client
from kybern.client.resources import CONFIG_MAPS, LEASES, Resource
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb

ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role", True)
LIMIT_RANGES = Resource("", "v1", "limitranges", "LimitRange", True)


async def write(
    client: Client, verb: str, of: Any, obj: Any, name: str = "a", kind: str = MERGE_PATCH, **options: Any
) -> Any:
    where = pb.Resource(group=of.group, version=of.version, resource=of.resource, namespace="default")
    sent, data = pb.WriteOptions(**options), orjson.dumps(obj)
    requests: dict[str, Any] = {
        "create": pb.CreateRequest(resource=where, object=data, options=sent),
        "update": pb.UpdateRequest(resource=where, name=name, object=data, options=sent),
        "patch": pb.PatchRequest(resource=where, name=name, patch_type=kind, patch=data, options=sent),
    }
    return orjson.loads((await client.calls.call(verb, requests[verb], "", 5)).object)


def config_map(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **metadata}}


async def test_a_generation_that_nobody_counts_stays(admin: Client) -> None:
    made = await write(admin, "create", CONFIG_MAPS, config_map(generation=7, selfLink="/x"))
    assert made["metadata"]["generation"] == 7
    assert "selfLink" not in made["metadata"]
    with pytest.raises(StatusError) as refused:
        await write(admin, "create", CONFIG_MAPS, config_map(generation=-1))
    assert refused.value.details["causes"][0]["field"] == "metadata.generation"


async def test_a_prefix_may_be_dropped(admin: Client) -> None:
    await write(admin, "create", CONFIG_MAPS, config_map(generateName="a-"))
    assert "generateName" not in (await write(admin, "update", CONFIG_MAPS, config_map()))["metadata"]


async def test_what_is_made_by_an_apply_keeps_what_it_says(admin: Client) -> None:
    given = {"generation": 7, "deletionTimestamp": "2024-01-01T00:00:00Z", "resourceVersion": "5"}
    options = {"kind": APPLY_PATCH, "field_manager": "m"}
    made = await write(admin, "patch", CONFIG_MAPS, config_map(**given), **options, dry_run=True)
    assert made["metadata"].items() >= given.items()
    with pytest.raises(StatusError) as refused:
        await write(admin, "patch", CONFIG_MAPS, config_map(resourceVersion="x"), **options)
    assert (refused.value.code, refused.value.message) == (400, 'strconv.ParseUint: parsing "x": invalid syntax')


async def test_another_uid(admin: Client) -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"}, "spec": {}}
    with pytest.raises(StatusError) as absent:
        await write(admin, "update", LEASES, {**lease, "metadata": {"name": "a", "uid": "x"}})
    assert absent.value.code == 409
    await write(admin, "create", CONFIG_MAPS, config_map())
    with pytest.raises(StatusError) as refused:
        await write(admin, "patch", CONFIG_MAPS, {"metadata": {"uid": "x"}, "data": {"/": "x"}})
    fields = [cause["field"] for cause in refused.value.details["causes"]]
    assert {"metadata.uid", "data[/]"} <= {*fields}


async def test_an_empty_list_has_a_manager_and_is_none(admin: Client) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "a"}, "rules": []}
    made = await write(admin, "create", ROLES, role, field_manager="m")
    assert made["rules"] is None
    assert made["metadata"]["managedFields"][0]["fieldsV1"] == {"f:rules": {}}


async def test_a_limit_range_without_a_name_gets_one(admin: Client) -> None:
    made = await write(admin, "create", LIMIT_RANGES, {"metadata": {}, "spec": {"limits": []}})
    assert len(made["metadata"]["name"]) == 36


async def test_what_is_being_deleted_gets_no_more_finalizers(admin: Client) -> None:
    await admin.create(CONFIG_MAPS, {"metadata": {"name": "f", "namespace": "default", "finalizers": ["a.b/c"]}})
    await admin.delete(CONFIG_MAPS, "f", "default")
    for wanted in (["a.b/c", "x.y/z"], ["x.y/z"]):
        with pytest.raises(StatusError) as caught:
            await admin.patch(CONFIG_MAPS, "f", "default", patch={"metadata": {"finalizers": wanted}})
        assert 'is being deleted, found new finalizers []string{"x.y/z"}' in caught.value.message
    await admin.patch(CONFIG_MAPS, "f", "default", patch={"metadata": {"finalizers": None}})
