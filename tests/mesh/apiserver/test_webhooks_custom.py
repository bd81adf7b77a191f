"""Admission webhooks and custom resources: denied, changed and pruned, in other versions, converted by webhook too."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kybern.client.objects import Client
from kybern.client.resources import Resource
from kybern.kube.status import StatusError
from kybern.testing.webhooks import WebhookServer, patch, webhook_server

CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
GROUP = "admissionregistration.k8s.io"
MUTATING = Resource(GROUP, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", namespaced=False)
VALIDATING = Resource(
    GROUP, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", namespaced=False
)
ONE = Resource("example.com", "v1", "things", "Thing")
TWO = Resource("example.com", "v2", "things", "Thing")
STRING = {"type": "string"}


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[WebhookServer]:
    async with webhook_server(tmp_path) as server:
        yield server


def version(name: str, *members: str, storage: bool = False) -> dict[str, Any]:
    data = {"type": "object", "properties": dict.fromkeys(members, STRING)}
    schema = {"type": "object", "properties": {"data": data}}
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}}


def definition(*versions: dict[str, Any], **spec: Any) -> dict[str, Any]:
    names = {"plural": "things", "kind": "Thing"}
    found = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": list(versions)}
    return {"metadata": {"name": "things.example.com"}, "spec": found | spec}


def webhook(hooks: WebhookServer, path: str, *operations: str, **more: Any) -> dict[str, Any]:
    rule = {
        "operations": list(operations) or ["*"],
        "apiGroups": ["example.com"],
        "apiVersions": [more.pop("version", "v1")],
        "resources": ["things"],
    }
    return {
        "name": f"{path.strip('/')}.example.com",
        "clientConfig": hooks.client_config(path),
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    } | more


def configuration(*webhooks: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "x"}, "webhooks": list(webhooks)}


def thing(name: str = "a", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


async def establish(admin: Client, crd: dict[str, Any]) -> dict[str, Any]:
    await admin.create(CRDS, crd)
    for _ in range(400):
        made = await admin.get(CRDS, "things.example.com")
        conditions = {one["type"]: one["status"] for one in (made.get("status") or {}).get("conditions") or ()}
        if conditions.get("Established") == "True":
            return made
        await asyncio.sleep(0.01)
    raise AssertionError(made)


async def refused(awaitable: Any) -> str:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value.message


async def test_denied(admin: Client, hooks: WebhookServer) -> None:
    await establish(admin, definition(version("v1", "x", storage=True)))
    hooks.admit("/deny", lambda request: {"allowed": request["operation"] == "CREATE"})
    await admin.create(VALIDATING, configuration(webhook(hooks, "/deny")))
    await admin.create(ONE, thing(x="1"))
    says = 'admission webhook "deny.example.com" denied the request without explanation'
    assert await refused(admin.patch(ONE, "a", "default", patch={"data": {"x": "2"}})) == says
    assert await refused(admin.delete(ONE, "a", "default")) == says
    assert await refused(admin.delete_collection(ONE, "default")) == says
    assert (await admin.get(ONE, "a", "default"))["data"] == {"x": "1"}


async def test_definitions_denied(admin: Client, hooks: WebhookServer) -> None:
    hooks.admit("/no", lambda request: {"allowed": False, "status": {"message": "no more kinds"}})
    rule = {
        "operations": ["CREATE"],
        "apiGroups": ["apiextensions.k8s.io"],
        "apiVersions": ["*"],
        "resources": ["customresourcedefinitions"],
    }
    await admin.create(VALIDATING, configuration({**webhook(hooks, "/no"), "rules": [rule]}))
    message = await refused(admin.create(CRDS, definition(version("v1", storage=True))))
    assert message == 'admission webhook "no.example.com" denied the request: no more kinds'


async def test_changed_and_pruned(admin: Client, hooks: WebhookServer) -> None:
    await establish(admin, definition(version("v1", "start", "stage-1", storage=True)))
    for stage in ("stage-1", "stage-2"):
        change = {"op": "add", "path": f"/data/{stage}", "value": "yes"}
        hooks.admit(f"/{stage}", lambda request, change=change: patch(change))
    both = [webhook(hooks, f"/{stage}", "CREATE") for stage in ("stage-1", "stage-2")]
    await admin.create(MUTATING, configuration(*both))
    made = await admin.create(ONE, thing(start="yes"))
    assert made["data"] == {"start": "yes", "stage-1": "yes"}


async def test_another_stored_version(admin: Client, hooks: WebhookServer) -> None:
    """A webhook of v1 sees and changes what is stored in v2 by then."""
    crd = await establish(admin, definition(version("v1", "x", "seen", storage=True), version("v2", "x", "seen")))
    hooks.admit("/see", lambda request: patch({"op": "add", "path": "/data/seen", "value": request["operation"]}))
    await admin.create(MUTATING, configuration(webhook(hooks, "/see", "CREATE", "UPDATE")))
    assert (await admin.create(ONE, thing(x="1")))["data"]["seen"] == "CREATE"
    for one in crd["spec"]["versions"]:
        one["storage"] = one["name"] == "v2"
    await admin.update(CRDS, crd)
    made = await admin.patch(TWO, "a", "default", patch={"data": {"x": "2"}})
    assert (made["apiVersion"], made["data"]) == ("example.com/v2", {"x": "2", "seen": "UPDATE"})
    asked = hooks.requests()[-1]
    assert asked["object"]["apiVersion"] == asked["oldObject"]["apiVersion"] == "example.com/v1"
    assert asked["requestKind"]["version"] == "v2"


async def test_converted_for_admission(admin: Client, hooks: WebhookServer) -> None:
    """A write in v1 is shown in v2, as the conversion webhook makes it, and the patch comes back in v1."""

    def rename(obj: dict[str, Any], api_version: str) -> dict[str, Any]:
        names = {"old": "new"} if api_version.endswith("v2") else {"new": "old"}
        data = {names.get(name, name): value for name, value in (obj.get("data") or {}).items()}
        return {**obj, "apiVersion": api_version, "data": data}

    hooks.convert("/convert", rename)
    client = {"clientConfig": hooks.client_config("/convert"), "conversionReviewVersions": ["v1"]}
    conversion = {"strategy": "Webhook", "webhook": client}
    await establish(admin, definition(version("v1", "old", storage=True), version("v2", "new"), conversion=conversion))
    shown = []

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        shown.append([(request[name] or {}).get("data") for name in ("object", "oldObject")])
        return patch({"op": "add", "path": "/data/new", "value": request["object"]["data"]["new"] + "!"})

    hooks.admit("/two", answer)
    await admin.create(MUTATING, configuration(webhook(hooks, "/two", "CREATE", "UPDATE", version="v2")))
    assert (await admin.create(ONE, thing(old="a")))["data"] == {"old": "a!"}
    assert (await admin.patch(ONE, "a", "default", patch={"data": {"old": "b"}}))["data"] == {"old": "b!"}
    assert shown == [[{"new": "a"}, None], [{"new": "b"}, {"new": "a!"}]]


async def test_stored_versions(admin: Client) -> None:
    crd = await establish(admin, definition(version("v1", "x", storage=True), version("v2", "x")))
    for one in crd["spec"]["versions"]:
        one["storage"] = one["name"] == "v2"
    crd = await admin.update(CRDS, crd)
    assert crd["status"]["storedVersions"] == ["v1", "v2"]
    without = {**crd, "spec": {**crd["spec"], "versions": [crd["spec"]["versions"][1]]}}
    assert "status.storedVersions[0]" in await refused(admin.update(CRDS, without))
    bad = {**crd, "status": {**crd["status"], "acceptedNames": {"plural": "A", "kind": "B"}}}
    assert 'status.acceptedNames.plural: Invalid value: "A"' in await refused(admin.update_status(CRDS, bad))
    kept = await admin.update_status(CRDS, {**crd, "status": {**crd["status"], "storedVersions": []}})
    assert kept["status"]["storedVersions"] == ["v2"]  # the present one is always on the record
    crd["metadata"]["resourceVersion"] = kept["metadata"]["resourceVersion"]
    done = await admin.update_status(CRDS, {**crd, "status": {**crd["status"], "storedVersions": ["v2"]}})
    done["spec"]["versions"] = [done["spec"]["versions"][1]]
    assert len((await admin.update(CRDS, done))["spec"]["versions"]) == 1
