"""Custom resources whose versions a webhook converts: read, listed, watched, written and applied in each of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import orjson
import pytest

from kybern.client.objects import JSON_PATCH, MERGE_PATCH, Client
from kybern.client.resources import Resource
from kybern.kube.status import StatusError
from kybern.testing.webhooks import WebhookServer, webhook_server

CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
ONE = Resource("stable.example.com", "v1", "endpoints", "Endpoint")
TWO = Resource("stable.example.com", "v2", "endpoints", "Endpoint")
STRING = {"type": "string"}


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[WebhookServer]:
    async with webhook_server(tmp_path) as server:
        server.convert("/convert", split_or_join)
        yield server


def split_or_join(obj: dict[str, Any], api_version: str) -> dict[str, Any]:
    """v1 has hostPort, v2 has host and port."""
    made = {**obj, "apiVersion": api_version}
    if api_version.endswith("v2"):
        host, _, port = made.pop("hostPort", "").partition(":")
        return made | {"host": host, "port": port}
    return made | {"hostPort": f"{made.pop('host', '')}:{made.pop('port', '')}"}


def version(name: str, *members: str, storage: bool = False, served: bool = True) -> dict[str, Any]:
    properties = {"status": {"type": "object", "properties": {"phase": STRING}}} | dict.fromkeys(members, STRING)
    return {
        "name": name,
        "served": served,
        "storage": storage,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
        "subresources": {"status": {}},
    }


def definition(hooks: WebhookServer, path: str = "/convert", storage: str = "v1", **more: Any) -> dict[str, Any]:
    versions = [
        version("v1", "hostPort", storage=storage == "v1"),
        version("v2", "host", "port", storage=storage == "v2"),
    ]
    webhook = {"clientConfig": hooks.client_config(path), "conversionReviewVersions": ["v1"]}
    spec = {
        "group": "stable.example.com",
        "scope": "Namespaced",
        "names": {"plural": "endpoints", "kind": "Endpoint"},
        "versions": versions,
        "conversion": {"strategy": "Webhook", "webhook": webhook},
    }
    return {"metadata": {"name": "endpoints.stable.example.com"}, "spec": spec | more}


def first(name: str, host_port: str = "web:80") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "hostPort": host_port}


async def establish(admin: Client, crd: dict[str, Any]) -> dict[str, Any]:
    made = await admin.create(CRDS, crd)
    for _ in range(200):
        made = await admin.get(CRDS, made["metadata"]["name"])
        conditions = {one["type"]: one["status"] for one in (made.get("status") or {}).get("conditions") or ()}
        if conditions.get("Established") == "True":
            return made
        await asyncio.sleep(0.01)
    raise AssertionError(made)


async def refused(awaitable: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


async def test_reads_and_writes_in_every_version(admin: Client, hooks: WebhookServer, cluster: Any) -> None:
    crd = await establish(admin, definition(hooks))
    assert crd["status"]["storedVersions"] == ["v1"]
    made = await admin.create(ONE, first("a"))
    assert hooks.reviews == []  # nobody needs another version
    other = await admin.get(TWO, "a", "default")
    assert (other["host"], other["port"], "hostPort" in other) == ("web", "80", False)
    assert other["metadata"] == made["metadata"]
    (asked,) = hooks.requests()
    assert asked["desiredAPIVersion"] == "stable.example.com/v2"
    await admin.get(TWO, "a", "default")
    assert len(hooks.reviews) == 1  # remembered
    created = await admin.create(TWO, {"metadata": {"name": "b", "namespace": "default"}, "host": "db", "port": "1"})
    assert created["apiVersion"] == "stable.example.com/v2"
    assert (created["host"], created["port"]) == ("db", "1")
    assert (await admin.get(ONE, "b", "default"))["hostPort"] == "db:1"
    stored = cluster.server.table.cacher("stable.example.com", "endpoints").get("default", "b")
    assert orjson.loads(stored.data)["apiVersion"] == "stable.example.com/v1"
    created["port"] = "2"
    assert (await admin.update(TWO, created))["port"] == "2"
    assert (await admin.patch(TWO, "b", "default", patch={"port": "3"}, patch_type=MERGE_PATCH))["port"] == "3"
    operations = [{"op": "replace", "path": "/port", "value": "4"}]
    assert (await admin.patch(TWO, "b", "default", patch=operations, patch_type=JSON_PATCH))["port"] == "4"
    status = {**(await admin.get(TWO, "b", "default")), "status": {"phase": "Up"}}
    assert (await admin.update_status(TWO, status))["status"] == {"phase": "Up"}
    assert [one["hostPort"] for one in (await admin.list(ONE, "default")).items] == ["web:80", "db:4"]
    assert [(one["host"], one["port"]) for one in (await admin.list(TWO)).items] == [("web", "80"), ("db", "4")]
    await admin.delete(TWO, "b", "default")
    gone = await admin.delete_collection(TWO, "default")
    assert [one["host"] for one in gone["items"]] == ["web"]
    assert (await admin.list(ONE)).items == []


async def test_watches_see_their_version(admin: Client, hooks: WebhookServer) -> None:
    await establish(admin, definition(hooks))
    await admin.create(ONE, first("a"))
    seen = []
    async with aclosing(admin.watch(TWO, "default", allow_bookmarks=False)) as events:
        changed = False
        async for batch in events:
            seen += [(event.type, event.object.get("host"), event.object.get("port")) for event in batch]
            if seen and not changed:
                changed = True
                await admin.create(ONE, first("b", "db:5"))
                await admin.patch(ONE, "b", "default", patch={"hostPort": "db:6"})
                await admin.delete(ONE, "b", "default")
            if len(seen) == 4:
                break
    assert seen == [("ADDED", "web", "80"), ("ADDED", "db", "5"), ("MODIFIED", "db", "6"), ("DELETED", "db", "6")]


async def test_fields_of_each_version_can_be_selected(admin: Client, hooks: WebhookServer) -> None:
    crd = definition(hooks)
    crd["spec"]["versions"][0]["selectableFields"] = [{"jsonPath": ".hostPort"}]
    crd["spec"]["versions"][1]["selectableFields"] = [{"jsonPath": ".host"}, {"jsonPath": ".port"}]
    await establish(admin, crd)
    for name, host_port in (("a", "web:80"), ("b", "web:81"), ("c", "db:80")):
        await admin.create(ONE, first(name, host_port))

    async def names(resource: Resource, selector: str) -> list[str]:
        found = await admin.list(resource, "default", field_selector=selector)
        return [one["metadata"]["name"] for one in found.items]

    assert await names(ONE, "hostPort=web:80") == ["a"]
    assert await names(TWO, "host=web") == ["a", "b"]
    assert await names(TWO, "host=web,port=80") == ["a"]
    assert await names(TWO, "host!=web,metadata.name=c") == ["c"]
    await admin.create(ONE, first("d", "mail:25"))
    await admin.delete_collection(TWO, "default", field_selector="port=25")
    assert await names(TWO, "") == ["a", "b", "c"]
    seen: list[tuple[str, str]] = []
    async with (
        asyncio.timeout(5),
        aclosing(admin.watch(TWO, "default", field_selector="host=web", allow_bookmarks=False)) as events,
    ):
        async for batch in events:
            began = bool(seen)
            seen += [(event.type, event.object["metadata"]["name"]) for event in batch]
            if seen and not began:
                await change_hosts(admin)
            if ("DELETED", "b") in seen:
                break
    assert seen[:2] == [("ADDED", "a"), ("ADDED", "b")]
    assert seen[2:] == [("ADDED", "c"), ("MODIFIED", "c"), ("DELETED", "a"), ("DELETED", "b")]


async def change_hosts(admin: Client) -> None:
    """c comes to be of the host web, a leaves it, b is deleted."""
    for name, host_port in (("c", "web:80"), ("c", "web:81"), ("a", "db:1"), ("a", "db:2")):
        await admin.patch(ONE, name, "default", patch={"hostPort": host_port}, patch_type=MERGE_PATCH)
    await admin.delete(ONE, "b", "default")


async def test_the_storage_version_can_change(admin: Client, hooks: WebhookServer, cluster: Any) -> None:
    crd = await establish(admin, definition(hooks))
    await admin.create(ONE, first("old"))
    crd["spec"]["versions"] = definition(hooks, storage="v2")["spec"]["versions"]
    crd = await admin.update(CRDS, crd)
    assert crd["status"]["storedVersions"] == ["v1", "v2"]
    await admin.create(ONE, first("new", "x:1"))
    cacher = cluster.server.table.cacher("stable.example.com", "endpoints")
    kept = {entry.name: entry.decode()["apiVersion"].rpartition("/")[2] for entry in cacher.entries.values()}
    assert kept == {"old": "v1", "new": "v2"}
    for resource, members in ((ONE, ["hostPort"]), (TWO, ["host", "port"])):
        listed = await admin.list(resource, "default")
        assert {one["metadata"]["name"]: ":".join(one[m] for m in members) for one in listed.items} == {
            "old": "web:80",
            "new": "x:1",
        }
    moved = await admin.patch(ONE, "old", "default", patch={"metadata": {"labels": {"a": "b"}}})
    assert moved["hostPort"] == "web:80"
    assert cacher.get("default", "old").decode()["apiVersion"] == "stable.example.com/v2"
    crd["status"]["storedVersions"] = ["v2"]
    assert (await admin.update_status(CRDS, crd))["status"]["storedVersions"] == ["v2"]


async def test_applied_in_both_versions(admin: Client, hooks: WebhookServer) -> None:
    await establish(admin, definition(hooks))
    config = {"apiVersion": "stable.example.com/v2", "kind": "Endpoint", "metadata": {"name": "a"}, "host": "h"}
    apply = "application/apply-patch+yaml"
    client = admin
    client.field_manager = "me"
    made = await client.patch(TWO, "a", "default", patch=config, patch_type=apply)
    assert made["host"] == "h"
    made = await client.patch(TWO, "a", "default", patch={**config, "port": "9"}, patch_type=apply)
    assert made["port"] == "9"
    assert (await client.get(ONE, "a", "default"))["hostPort"] == "h:9"


async def test_an_apply_that_changes_nothing_brings_no_defaults(admin: Client, hooks: WebhookServer) -> None:
    """Where the stored version cannot keep them, each would count as a change."""

    def forget(obj: dict[str, Any], api_version: str) -> dict[str, Any]:
        return {name: value for name, value in split_or_join(obj, api_version).items() if name != "zone"}

    hooks.convert("/forget", forget)
    crd = definition(hooks, "/forget")
    properties = crd["spec"]["versions"][1]["schema"]["openAPIV3Schema"]["properties"]
    properties["zone"] = {"type": "string", "default": "z"}
    await establish(admin, crd)
    wanted = {"apiVersion": "stable.example.com/v2", "kind": "Endpoint", "metadata": {"name": "a"}, "host": "w"}
    apply, generations = "application/apply-patch+yaml", []
    for manager, port in (("one", "80"), ("one", "80"), ("two", "80"), ("three", None), ("one", "80")):
        admin.field_manager = manager
        patch = wanted if port is None else {**wanted, "port": port}
        made = await admin.patch(TWO, "a", "default", patch=patch, patch_type=apply)
        generations.append(made["metadata"]["generation"])
    assert generations == [1] * 5
    patch = {**wanted, "zone": "y"}
    assert (await admin.patch(TWO, "a", "default", patch=patch, patch_type=apply))["metadata"]["generation"] == 2


async def test_managers_of_different_versions(admin: Client, hooks: WebhookServer) -> None:
    """Who applied in v1 owns the v1 fields: changing them in v2 is a conflict, changing others is none."""
    await establish(admin, definition(hooks))
    apply = "application/apply-patch+yaml"
    admin.field_manager = "first"
    config = {"apiVersion": "stable.example.com/v1", "kind": "Endpoint", "metadata": {"name": "a"}, "hostPort": "h:1"}
    await admin.patch(ONE, "a", "default", patch=config, patch_type=apply)
    admin.field_manager = "second"
    other = {"apiVersion": "stable.example.com/v2", "kind": "Endpoint", "metadata": {"name": "a"}, "port": "2"}
    error = await refused(admin.patch(TWO, "a", "default", patch=other, patch_type=apply))
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == 'Apply failed with 1 conflict: conflict with "first": .hostPort'
    labelled = {**other, "metadata": {"name": "a", "labels": {"a": "b"}}}
    del labelled["port"]
    made = await admin.patch(TWO, "a", "default", patch=labelled, patch_type=apply)
    owners = {one["manager"]: (one["apiVersion"].rpartition("/")[2], one["fieldsV1"]) for one in managed(made)}
    assert owners == {
        "first": ("v1", {"f:hostPort": {}}),
        "second": ("v2", {"f:metadata": {"f:labels": {"f:a": {}}}}),
    }
    made = await admin.patch(TWO, "a", "default", patch=other, patch_type=apply, force=True)
    assert (made["host"], made["port"]) == ("h", "2")
    assert [one["manager"] for one in managed(made)] == ["second"]
    admin.field_manager = "third"
    made = await admin.patch(ONE, "a", "default", patch={"hostPort": "x:3"})
    owners = {one["manager"]: one["fieldsV1"] for one in managed(made)}
    assert owners == {"third": {"f:hostPort": {}}}


def managed(obj: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = obj["metadata"]["managedFields"]
    return found


BAD: dict[str, tuple[Any, str]] = {
    "no review": (
        {},
        "failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got /, Kind=",
    ),
    "no response": ({"response": None}, "failed: no response provided"),
    "another uid": (
        {"response": {"uid": "x"}},
        'failed: expected response.uid="UID", got "x"',
    ),
    "a failure": ({"response": {"uid": "UID", "result": {"status": "Failed", "message": "no way"}}}, "failed: no way"),
    "no status": (
        {"response": {"uid": "UID", "result": {}}},
        "failed: response.result.status was '', not 'Success'",
    ),
    "nothing": (
        {"response": {"uid": "UID", "result": {"status": "Success"}, "convertedObjects": []}},
        "returned 0 objects, expected 1",
    ),
    "the same version": (
        {"response": {"uid": "UID", "result": {"status": "Success"}, "convertedObjects": ["OBJECT"]}},
        "returned invalid object at index 0: invalid groupVersion (expected stable.example.com/v2, received "
        "stable.example.com/v1)",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_answers(admin: Client, hooks: WebhookServer, name: str) -> None:
    said, expected = BAD[name]
    await establish(admin, definition(hooks, "/bad"))
    await admin.create(ONE, first("a"))

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        frame = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview"} if said else {}
        text = orjson.dumps({**frame, **said}).decode().replace("UID", asked["request"]["uid"])
        found: dict[str, Any] = orjson.loads(text)
        response = found.get("response") or {}
        if response.get("convertedObjects"):
            response["convertedObjects"] = asked["request"]["objects"]
        return found

    hooks.answer("/bad", answer)
    error = await refused(admin.get(TWO, "a", "default"))
    uid = hooks.requests()[-1]["uid"]
    named = "conversion webhook for stable.example.com/v1, Kind=Endpoint"
    assert error.message == f"{named} {expected}".replace("UID", uid)
    assert (error.code, error.reason) == (500, "")
    assert await admin.get(ONE, "a", "default")


async def test_metadata_is_not_the_webhooks(admin: Client, hooks: WebhookServer) -> None:
    def meddle(obj: dict[str, Any], api_version: str) -> dict[str, Any]:
        made = split_or_join(obj, api_version)
        labels = {"seen": "yes"}
        return {**made, "metadata": {**made["metadata"], "labels": labels, "generation": 99, "finalizers": ["x/y"]}}

    hooks.convert("/meddle", meddle)
    await establish(admin, definition(hooks, "/meddle"))
    made = await admin.create(ONE, first("a"))
    seen = await admin.get(TWO, "a", "default")
    assert seen["metadata"] == {**made["metadata"], "labels": {"seen": "yes"}}


async def test_a_webhook_that_is_not_there(admin: Client, hooks: WebhookServer) -> None:
    crd = definition(hooks)
    config = {"service": {"name": "none", "namespace": "default", "path": "/c"}}
    crd["spec"]["conversion"]["webhook"]["clientConfig"] = config
    await establish(admin, crd)
    await admin.create(ONE, first("a"))
    error = await refused(admin.get(TWO, "a", "default"))
    assert error.message == (
        "conversion webhook for stable.example.com/v1, Kind=Endpoint failed: "
        'Post "https://none.default.svc:443/c?timeout=30s": service "none" not found'
    )
