"""kubectl with an extension API server, with exec over SPDY, and with /logs."""

import asyncio
import json
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.testing import backend, extension
from kybern.testing.cluster import Cluster, Kubectl

SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}
NAME = "v1alpha1.wardle.example.com"


class Running:
    """The extension API server in a thread of its own."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.server: Any = None
        self.port = 0
        self._tls = tls
        self._started, self._loop = threading.Event(), asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()))
        self._thread.start()
        assert self._started.wait(10)

    async def _run(self) -> None:
        self.server = extension.Extension()
        async with backend.backend("127.0.0.1", self._tls, self.server.app) as port:
            self.port = port
            self._started.set()
            await self._stop.wait()
        await asyncio.sleep(0.5)  # TLS connections say goodbye

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def wardle(kubectl: Kubectl, cluster: Cluster, tmp_path: Path) -> Iterator[Kubectl]:
    """A cluster in which wardle.example.com/v1alpha1 is served by an extension API server."""
    now, namespace = datetime.now(UTC), kubectl.namespace
    ca = create_ca(tmp_path / "ca", now)
    host = f"api.{namespace}.svc"
    write_bundle(tmp_path / "wardle", issue(ca, Identity("api", (), (host,)), timedelta(days=1), now))
    front = cluster.data_dir / "pki" / "front-proxy-ca" / "ca.crt"
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(front))
    tls.load_cert_chain(tmp_path / "wardle" / "tls.pem")
    tls.verify_mode = ssl.CERT_OPTIONAL
    running = Running(tls)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "api"},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }
    spec = {
        "group": extension.GROUP,
        "version": extension.VERSION,
        "groupPriorityMinimum": 2000,
        "versionPriority": 200,
        "service": {"namespace": namespace, "name": "api", "port": running.port},
        "caBundle": b64encode(ca.pem).decode(),
    }
    kind = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": NAME}, "spec": spec}
    try:
        kubectl("apply", "-f", "-", stdin=json.dumps(service))
        kubectl("apply", "-f", "-", stdin=json.dumps(kind))
        kubectl("wait", f"apiservice/{NAME}", "--for=condition=Available", "--timeout=20s")
        yield kubectl
    finally:
        kubectl("delete", "apiservice", NAME, "--ignore-not-found")
        running.stop()


def test_objects_of_an_extension_api_server(wardle: Kubectl) -> None:
    resources = wardle("api-resources", "--api-group", extension.GROUP).splitlines()
    assert resources[1].split() == ["flunders", "fl", f"{extension.GROUP}/{extension.VERSION}", "true", "Flunder"]
    assert f"{extension.GROUP}/{extension.VERSION}" in wardle("api-versions").split()
    flunder = {
        "apiVersion": f"{extension.GROUP}/{extension.VERSION}",
        "kind": "Flunder",
        "metadata": {"name": "a"},
        "spec": {"x": 1},
    }
    wardle("create", "-f", "-", stdin=json.dumps(flunder))
    assert wardle("get", "flunders", "-o", "name") == f"flunder.{extension.GROUP}/a"
    assert wardle("get", "fl", "a", "-o", "jsonpath={.spec.x}") == "1"
    assert wardle("get", "fl").splitlines()[0].split() == ["NAME", "AGE"]
    assert f'flunders.{extension.GROUP} "b" not found' in wardle.error("get", "fl", "b")
    assert "What it should be." in wardle("explain", "flunders.spec")
    row = wardle("get", "apiservice", NAME, "--no-headers").split()
    assert row[:3] == [NAME, f"{wardle.namespace}/api", "True"]
    wardle("delete", "fl", "a")


def test_an_unavailable_server(kubectl: Kubectl) -> None:
    name = "v1.gone.example.com"
    spec = {
        "group": "gone.example.com",
        "version": "v1",
        "groupPriorityMinimum": 100,
        "versionPriority": 10,
        "service": {"namespace": kubectl.namespace, "name": "gone"},
        "insecureSkipTLSVerify": True,
    }
    kind = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name}, "spec": spec}
    kubectl("apply", "-f", "-", stdin=json.dumps(kind))
    try:
        kubectl("wait", f"apiservice/{name}", "--for=condition=Available=false", "--timeout=20s")
        assert "False (ServiceNotFound)" in kubectl("get", "apiservice", name)
        assert "the server is currently unable to handle the request" in kubectl.error(
            "get", "--raw", "/apis/gone.example.com/v1"
        )
        assert kubectl("get", "pods", "--no-headers") == ""
    finally:
        kubectl("delete", "apiservice", name)


def test_exec_over_spdy(kubectl: Kubectl) -> None:
    kubectl("run", "p", "--image=simulated/x")
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=20s")
    assert kubectl("exec", "p", "--", "echo", "hello", env=SPDY) == "hello"
    failed = kubectl.run("exec", "p", "--", "false", env=SPDY)
    assert (failed.code, failed.err.strip()) == (1, "command terminated with exit code 1")
    assert 'pods "gone" not found' in kubectl.run("exec", "gone", "--", "true", env=SPDY).err


def test_a_node_and_the_hosts_logs(kubectl: Kubectl) -> None:
    node = kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    assert kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/healthz") == "ok"
    assert kubectl("get", "--raw", f"/api/v1/nodes/{node}:10250/proxy/logs/")
    assert "node_cpu_usage_seconds_total" in kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/metrics/resource")
    assert "gateway.log" in kubectl("get", "--raw", "/logs/")
    assert "serving at revision" in kubectl("get", "--raw", "/logs/apiserver.log")
