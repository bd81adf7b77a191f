"""Admission and conversion webhooks on the loopback, seen through kubectl."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from kybern.testing.cluster import Kubectl
from kybern.testing.webhooks import WebhookServer, patch, webhook_server

GROUP = "admissionregistration.k8s.io/v1"
STRING = {"type": "string"}


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[WebhookServer]:
    """A server in a thread of its own."""
    ready: Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event, WebhookServer]] = Queue()

    async def serve() -> None:
        async with webhook_server(tmp_path) as server:
            end = asyncio.Event()
            ready.put((asyncio.get_running_loop(), end, server))
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    loop, end, server = ready.get(timeout=20)
    yield server
    loop.call_soon_threadsafe(end.set)
    thread.join(20)


def configuration(kind: str, kubectl: Kubectl, config: dict[str, Any], **rule: Any) -> dict[str, Any]:
    """Limited to the test's namespace."""
    hook = {
        "name": "hook.example.com",
        "clientConfig": config,
        "rules": [
            {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]} | rule
        ],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kubectl.namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
    }
    return {"apiVersion": GROUP, "kind": kind, "metadata": {"name": kubectl.namespace}, "webhooks": [hook]}


def test_denied_changed_and_warned(kubectl: Kubectl, hooks: WebhookServer) -> None:
    hooks.admit("/add", lambda request: patch({"op": "add", "path": "/data", "value": {"added": "by the webhook"}}))
    hooks.admit("/deny", lambda request: {"allowed": request["name"] != "bad", "warnings": ["mind the gap"]})
    kubectl.send(
        "create",
        configuration("MutatingWebhookConfiguration", kubectl, hooks.client_config("/add")),
        configuration("ValidatingWebhookConfiguration", kubectl, hooks.client_config("/deny")),
    )
    try:
        refused = kubectl.run("create", "configmap", "bad")
        assert refused.code == 1
        assert 'admission webhook "hook.example.com" denied the request without explanation' in refused.err
        assert "Warning: mind the gap" in refused.err
        made = kubectl.run("create", "configmap", "good")
        assert made.out == "configmap/good created\n"
        assert made.err == "Warning: mind the gap\n"
        assert kubectl("get", "configmap", "good", "-o", "jsonpath={.data.added}") == "by the webhook"
        assert kubectl("create", "configmap", "dry", "--dry-run=server") == "configmap/dry created (server dry run)"
        assert hooks.requests()[-1]["dryRun"] is True
        shown = kubectl("get", "validatingwebhookconfigurations", kubectl.namespace, "--no-headers")
        assert shown.split()[:2] == [kubectl.namespace, "1"]
    finally:
        kubectl("delete", "mutatingwebhookconfiguration,validatingwebhookconfiguration", kubectl.namespace)


def test_attach_denied(kubectl: Kubectl, hooks: WebhookServer) -> None:
    hooks.admit("/no", lambda request: {"allowed": False, "status": {"message": "attaching is not allowed"}})
    kubectl("run", "web", "--image=nginx")
    kubectl("wait", "pod/web", "--for=condition=Ready", "--timeout=30s")
    rule = {"operations": ["CONNECT"], "resources": ["pods/attach", "pods/exec"]}
    config = configuration("ValidatingWebhookConfiguration", kubectl, hooks.client_config("/no"), **rule)
    kubectl.send("create", config)
    try:
        for command in (("attach", "web"), ("exec", "web", "--", "true")):
            refused = kubectl.run(*command)
            assert refused.code == 1
            assert 'admission webhook "hook.example.com" denied the request: attaching is not allowed' in refused.err
        assert {request["kind"]["kind"] for request in hooks.requests()} == {"PodAttachOptions", "PodExecOptions"}
    finally:
        kubectl("delete", "validatingwebhookconfiguration", kubectl.namespace)


def test_converted(kubectl: Kubectl, hooks: WebhookServer) -> None:
    def split(obj: dict[str, Any], api_version: str) -> dict[str, Any]:
        made = {**obj, "apiVersion": api_version}
        if api_version.endswith("v2"):
            host, _, port = made.pop("hostPort", "").partition(":")
            return made | {"host": host, "port": port}
        return made | {"hostPort": f"{made.pop('host', '')}:{made.pop('port', '')}"}

    hooks.convert("/convert", split)
    group = f"{kubectl.namespace}.example.com"

    def version(name: str, *members: str) -> dict[str, Any]:
        schema = {"type": "object", "properties": dict.fromkeys(members, STRING)}
        return {"name": name, "served": True, "storage": name == "v1", "schema": {"openAPIV3Schema": schema}}

    webhook = {"clientConfig": hooks.client_config("/convert"), "conversionReviewVersions": ["v1", "v1beta1"]}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"endings.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "endings", "kind": "Ending"},
            "versions": [version("v1", "hostPort"), version("v2", "host", "port")],
            "conversion": {"strategy": "Webhook", "webhook": webhook},
        },
    }
    kubectl.send("create", crd)
    try:
        kubectl("wait", f"crd/endings.{group}", "--for=condition=Established", "--timeout=20s")
        one = {"apiVersion": f"{group}/v1", "kind": "Ending", "metadata": {"name": "a"}, "hostPort": "web:80"}
        two = {"apiVersion": f"{group}/v2", "kind": "Ending", "metadata": {"name": "b"}, "host": "db", "port": "1"}
        kubectl.send("create", one)
        kubectl.send("apply", two)
        assert kubectl("get", f"endings.v2.{group}", "-o", "jsonpath={.items[*].host}") == "web db"
        assert kubectl("get", f"endings.v1.{group}", "-o", "jsonpath={.items[*].hostPort}") == "web:80 db:1"
        kubectl.send("apply", {**two, "port": "2"}, flags=["--server-side", "--force-conflicts"])
        assert kubectl("get", f"endings.v1.{group}", "b", "-o", "jsonpath={.hostPort}") == "db:2"
    finally:
        kubectl("delete", "crd", f"endings.{group}")
