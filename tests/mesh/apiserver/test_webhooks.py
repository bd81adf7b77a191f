"""Mutating and validating webhooks over HTTPS, as a write meets them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS, Resource
from kybern.kube.status import StatusError
from kybern.testing.webhooks import WebhookServer, patch, webhook_server

GROUP = "admissionregistration.k8s.io"
MUTATING = Resource(GROUP, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", namespaced=False)
VALIDATING = Resource(
    GROUP, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", namespaced=False
)
RULE = {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[WebhookServer]:
    async with webhook_server(tmp_path) as server:
        yield server


async def refused(awaitable: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


def webhook(config: dict[str, Any], name: str = "x.example.com", **more: Any) -> dict[str, Any]:
    rules = more.pop("rules", [RULE])
    return {
        "name": name,
        "clientConfig": config,
        "rules": rules,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
    } | more


def configuration(*webhooks: dict[str, Any], name: str = "x") -> dict[str, Any]:
    return {"metadata": {"name": name}, "webhooks": list(webhooks)}


async def test_a_denial_is_what_the_client_reads(admin: Client, hooks: WebhookServer) -> None:
    answers = {
        "/plain": ({}, 400, "", " without explanation"),
        "/reason": ({"status": {"reason": "Because"}}, 400, "Because", ": Because"),
        "/whole": ({"status": {"code": 409, "reason": "Conflict", "message": "go"}}, 409, "Conflict", ": go"),
        "/low": ({"status": {"code": 200, "message": "no"}}, 400, "", ": no"),
    }
    for path, (said, code, reason, text) in answers.items():
        hooks.admit(path, lambda request, said=said: {"allowed": False, **said})
        await admin.create(VALIDATING, configuration(webhook(hooks.client_config(path))))
        error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
        assert (error.code, error.reason) == (code, reason)
        assert error.message == f'admission webhook "x.example.com" denied the request{text}'
        await admin.delete(VALIDATING, "x")
    await admin.create(CONFIG_MAPS, config_map("a"))


async def test_mutation_and_what_a_webhook_is_asked(admin: Client, hooks: WebhookServer) -> None:
    hooks.admit("/add", lambda request: patch({"op": "add", "path": "/data/more", "value": "yes"}))
    await admin.create(MUTATING, configuration(webhook(hooks.client_config("/add"))))
    made = await admin.create(CONFIG_MAPS, config_map("a", x="1"))
    assert made["data"] == {"x": "1", "more": "yes"}
    (asked,) = hooks.requests()
    assert asked["operation"] == "CREATE"
    assert asked["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert (asked["name"], asked["namespace"], asked["dryRun"]) == ("a", "default", False)
    assert asked["userInfo"]["username"] == "admin"
    assert asked["object"]["kind"] == "ConfigMap"
    assert "uid" not in asked["object"]["metadata"]
    assert asked["oldObject"] is None
    assert made["metadata"]["uid"]
    changed = await admin.patch(CONFIG_MAPS, "a", "default", patch={"data": {"y": "2"}})
    assert changed["data"] == {"x": "1", "y": "2", "more": "yes"}
    asked = hooks.requests()[-1]
    assert asked["operation"] == "UPDATE"
    assert asked["options"] == {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1"}
    assert asked["oldObject"]["metadata"]["uid"] == made["metadata"]["uid"]
    assert asked["object"]["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert len(hooks.connections) == 1
    error = await refused(admin.delete(CONFIG_MAPS, "a", "default"))
    assert error.message == (
        'Internal error occurred: admission webhook "x.example.com" attempted to modify the object, '
        "which is not supported for this operation"
    )
