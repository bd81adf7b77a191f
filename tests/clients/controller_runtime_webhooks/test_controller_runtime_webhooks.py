"""Webhooks that run on controller-runtime: its decoder, its patches, its certificates."""

import base64
import socket
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kybern.pki.authority import Identity, create_ca, issue
from kybern.testing.cluster import Kubectl
from kybern.testing.cluster.waiting import until

FOLDER = Path(__file__).parent
GROUP = "admissionregistration.k8s.io/v1"
BUILD_WITHIN, RUN_WITHIN = 280, 100
pytestmark = pytest.mark.timeout(BUILD_WITHIN + RUN_WITHIN)


@pytest.fixture(scope="session")
def program(build_go: Callable[..., str]) -> str:
    """The built server."""
    return build_go(FOLDER)


@pytest.fixture
def config(program: str, tmp_path: Path) -> Iterator[Callable[[str], dict[str, Any]]]:
    """`config(path)` is the clientConfig of a path of the running server."""
    now = datetime.now(UTC)
    ca = create_ca(tmp_path / "ca", now)
    pair = issue(ca, Identity("webhooks", ips=["127.0.0.1"]), timedelta(days=1), now)
    (tmp_path / "tls.crt").write_bytes(pair.cert)
    (tmp_path / "tls.key").write_bytes(pair.key)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([program, str(tmp_path), str(port)], stderr=subprocess.DEVNULL)

    def listens() -> bool:
        assert server.poll() is None
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(listens, 30)
        bundle = base64.b64encode(ca.pem).decode()
        yield lambda path: {"url": f"https://127.0.0.1:{port}{path}", "caBundle": bundle}
    finally:
        server.terminate()
        server.wait(20)


def configuration(kind: str, kubectl: Kubectl, *configs: dict[str, Any], **rule: Any) -> dict[str, Any]:
    """Limited to the test's namespace."""
    rules = {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]} | rule
    hooks = [
        {
            "name": f"hook{index}.example.com",
            "clientConfig": config,
            "rules": [rules],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kubectl.namespace}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        for index, config in enumerate(configs)
    ]
    return {"apiVersion": GROUP, "kind": kind, "metadata": {"name": kubectl.namespace}, "webhooks": hooks}


def test_webhooks_of_controller_runtime(kubectl: Kubectl, config: Callable[[str], dict[str, Any]]) -> None:
    kubectl.send(
        "create",
        configuration("MutatingWebhookConfiguration", kubectl, config("/label"), operations=["CREATE", "UPDATE"]),
        configuration("ValidatingWebhookConfiguration", kubectl, config("/refuse")),
    )
    try:
        made = kubectl.run("create", "configmap", "a", "--from-literal=kept=1", "--from-literal=more=2")
        assert (made.out, made.err) == ("configmap/a created\n", "Warning: seen by controller-runtime\n")
        assert kubectl("get", "configmap", "a", "-o", "jsonpath={.metadata.labels.author}") == "kubernetes-admin"
        kubectl("patch", "configmap", "a", "--type=json", '-p=[{"op":"remove","path":"/data/more"}]')
        told = kubectl.error("patch", "configmap", "a", "--type=json", '-p=[{"op":"remove","path":"/data/kept"}]')
        assert 'admission webhook "hook0.example.com" denied the request: the key is kept' in told
        assert kubectl("get", "configmap", "a", "-o", "jsonpath={.data}") == '{"kept":"1"}'
        kubectl("delete", "configmap", "a")
    finally:
        kubectl("delete", "mutatingwebhookconfiguration,validatingwebhookconfiguration", kubectl.namespace)


def test_reviews_have_no_unknown_field(kubectl: Kubectl, config: Callable[[str], dict[str, Any]]) -> None:
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    kubectl.send("create", configuration("ValidatingWebhookConfiguration", kubectl, config("/strict"), **everything))
    try:
        kubectl("create", "deployment", "web", "--image=nginx", "--replicas=1")
        kubectl("scale", "deployment", "web", "--replicas=2")
        kubectl("wait", "deployment/web", "--for=condition=Available", "--timeout=60s")
        pod = kubectl("get", "pods", "-o", "jsonpath={.items[0].metadata.name}")
        kubectl("exec", pod, "--", "true")
        kubectl("create", "token", "default")
        kubectl("label", "namespace", kubectl.namespace, "a=b")
        kubectl("delete", "deployment", "web", "--wait=false", "--cascade=foreground", "--grace-period=1")
        kubectl("delete", "pods", "--all", "--now")
    finally:
        kubectl("delete", "validatingwebhookconfiguration", kubectl.namespace)
