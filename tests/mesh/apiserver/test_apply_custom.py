"""Server-side apply of custom resources: their schema says which lists and maps are shared."""

import asyncio
from typing import Any

import orjson
import pytest

from kybern.client.objects import APPLY_PATCH, Client
from kybern.client.resources import Resource
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb

CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
TABS = Resource("stable.example.com", "v1", "crontabs", "CronTab")
PORT = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "port": {"type": "integer"}}}
SPEC = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer", "default": 1},
        "hosts": {"type": "array", "items": {"type": "string"}},
        "ports": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": PORT,
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}  # fmt: skip
STATUS = {"type": "object", "properties": {"replicas": {"type": "integer"}, "phase": {"type": "string"}}}


@pytest.fixture
async def tabs(admin: Client) -> Client:
    names = {"plural": "crontabs", "singular": "crontab", "kind": "CronTab"}
    version = {
        "name": "v1", "served": True, "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC, "status": STATUS}}},
        "subresources": {
            "status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
    }  # fmt: skip
    spec = {"group": TABS.group, "scope": "Namespaced", "names": names, "versions": [version]}
    await admin.create(CRDS, {"metadata": {"name": "crontabs.stable.example.com"}, "spec": spec})
    async with asyncio.timeout(5):
        while True:
            try:
                await admin.list(TABS, "default")
            except StatusError:
                await asyncio.sleep(0.01)
            else:
                return admin


async def apply(client: Client, manager: str, subresource: str = "", force: bool = False, **parts: Any) -> Any:
    kind = {"apiVersion": "stable.example.com/v1", "kind": "CronTab"}
    if subresource == "scale":
        kind = {"apiVersion": "autoscaling/v1", "kind": "Scale"}
    resource = pb.Resource(
        group=TABS.group, version="v1", resource="crontabs", namespace="default", subresource=subresource
    )
    body = orjson.dumps({**kind, "metadata": {"name": "a"}, **parts})
    request = pb.PatchRequest(
        resource=resource, name="a", patch_type=APPLY_PATCH, patch=body, force=force,
        options=pb.WriteOptions(field_manager=manager),
    )  # fmt: skip
    return orjson.loads((await client.calls.call("patch", request, "", 5)).object)


def entries(obj: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["manager"], row.get("subresource", "")): row["fieldsV1"] for row in obj["metadata"]["managedFields"]}


async def test_shared_lists_and_maps(tabs: Client) -> None:
    one = {"ports": [{"name": "a", "port": 1}], "hosts": ["x"], "free": {"deep": {"er": 1}}}
    made = await apply(tabs, "one", spec=one)
    assert made["spec"] == {**one, "replicas": 1}
    assert entries(made)["one", ""]["f:spec"] == {
        "f:free": {"f:deep": {".": {}, "f:er": {}}},
        "f:hosts": {},
        "f:ports": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:port": {}}},
    }
    both = await apply(tabs, "two", spec={"ports": [{"name": "b"}], "free": {"other": True}})
    assert both["spec"]["ports"] == [{"name": "a", "port": 1}, {"name": "b"}]
    assert both["spec"]["free"] == {"deep": {"er": 1}, "other": True}
    with pytest.raises(StatusError) as caught:
        await apply(tabs, "two", spec={"ports": [{"name": "a", "port": 2}], "hosts": ["y"]})
    assert caught.value.message == (
        'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.hosts\n- .spec.ports[name="a"].port'
    )
    back = await apply(tabs, "two", spec={})
    assert back["spec"] == made["spec"]


async def test_status_and_scale(tabs: Client) -> None:
    await apply(tabs, "one", spec={"replicas": 2}, status={"phase": "No"})
    seen = await apply(tabs, "controller", "status", status={"phase": "Yes"})
    assert (seen["status"], seen["spec"]["replicas"]) == ({"phase": "Yes"}, 2)
    assert entries(seen) == {
        ("one", ""): {"f:spec": {"f:replicas": {}}},
        ("controller", "status"): {"f:status": {"f:phase": {}}},
    }
    with pytest.raises(StatusError, match=r'conflict with "one": \.spec\.replicas'):
        await apply(tabs, "scaler", "scale", spec={"replicas": 3})
    scale = await apply(tabs, "scaler", "scale", force=True, spec={"replicas": 3})
    assert scale["spec"] == {"replicas": 3}
    assert entries(await tabs.get(TABS, "a", "default"))["scaler", "scale"] == {"f:spec": {"f:replicas": {}}}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"bogus": 1}, ".spec.bogus: field not declared in schema"),
        ({"ports": [{"port": 1}]}, 'element 0: associative list with keys has an element that omits all key fields'),
        ({"replicas": "x"}, ".spec.replicas: expected numeric (int or float), got string"),
    ],
)  # fmt: skip
async def test_configurations_that_do_not_fit(tabs: Client, spec: dict[str, Any], words: str) -> None:
    with pytest.raises(StatusError) as caught:
        await apply(tabs, "one", spec=spec)
    assert words in caught.value.message
