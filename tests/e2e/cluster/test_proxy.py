"""Proxy subresources to real containers and a real node, and exec and port-forward for clients that only speak SPDY."""

import json
import socket
import subprocess

import pytest

from kybern.testing.cluster import Kubectl
from kybern.testing.cluster.manifests import container, pod, service, web_container
from kybern.testing.cluster.waiting import fetch, until

pytestmark = pytest.mark.containerd
SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}


@pytest.fixture
def web(kubectl: Kubectl) -> Kubectl:
    """A ready web server `web` with its Service."""
    kubectl.send("apply", pod("web", web_container()), service("web"))
    kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=30s")
    return kubectl


def raw(kubectl: Kubectl, path: str) -> str:
    return kubectl("get", "--raw", f"/api/v1/namespaces/{kubectl.namespace}/{path}")


def test_pods_and_services(web: Kubectl) -> None:
    for name in ("pods/web", "pods/web:8080", "pods/http:web:8080", "pods/web:http"):
        assert raw(web, f"{name}/proxy/") == "web"
    for name in ("services/web", "services/web:80", "services/http:web:80"):
        assert until(lambda name=name: web.run("get", "--raw", f"{base(web)}/{name}/proxy/").out.strip()) == "web"  # type: ignore[misc]
    refused = web.error("get", "--raw", f"{base(web)}/pods/web:81/proxy/")
    assert "error trying to reach service: dial tcp " in refused
    assert "NotFound" in web.error("get", "--raw", f"{base(web)}/pods/web/proxy/nothing")


def base(kubectl: Kubectl) -> str:
    return f"/api/v1/namespaces/{kubectl.namespace}"


def test_the_node(kubectl: Kubectl) -> None:
    kubectl.send("apply", pod("talker", container("echo hello; sleep 3600")))
    kubectl("wait", "--for=condition=Ready", "pod/talker", "--timeout=30s")
    node = kubectl("get", "pod", "talker", "-o", "jsonpath={.spec.nodeName}")
    for proxy in (f"/api/v1/nodes/{node}/proxy", f"/api/v1/nodes/{node}:10250/proxy"):
        assert kubectl("get", "--raw", f"{proxy}/healthz") == "ok"
        assert "<pre>" in kubectl("get", "--raw", f"{proxy}/logs/")
    proxy = f"/api/v1/nodes/{node}/proxy"
    names = [item["metadata"]["name"] for item in json.loads(kubectl("get", "--raw", f"{proxy}/pods"))["items"]]
    assert "talker" in names
    log = until(lambda: kubectl("get", "--raw", f"{proxy}/containerLogs/{kubectl.namespace}/talker/main"))
    assert log == "hello"
    assert json.loads(kubectl("get", "--raw", f"{proxy}/stats/summary"))["node"]["nodeName"] == node
    assert 'pod="talker"' in kubectl("get", "--raw", f"{proxy}/metrics/resource")
    assert "machine_memory_bytes" in kubectl("get", "--raw", f"{proxy}/metrics/cadvisor")


def test_exec_over_spdy(kubectl: Kubectl) -> None:
    kubectl.send("apply", pod("box"))
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    assert kubectl("exec", "box", "--", "echo", "a  b", env=SPDY) == "a  b"
    assert kubectl("exec", "-i", "box", "--", "cat", stdin="through\n", env=SPDY) == "through"
    assert kubectl.run("exec", "box", "--", "sh", "-c", "exit 42", env=SPDY).code == 42
    both = kubectl.run("exec", "box", "--", "sh", "-c", "echo out; echo err >&2", env=SPDY)
    assert (both.out, both.err) == ("out\n", "err\n")
    big = "x" * 3_000_000
    assert kubectl("exec", "-i", "box", "--", "wc", "-c", stdin=big, env=SPDY) == str(len(big))
    large = kubectl("exec", "box", "--", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x", env=SPDY)
    assert len(large) == 3_000_000


def test_attach_over_spdy(kubectl: Kubectl) -> None:
    echo = container("while read line; do echo got $line; done", stdin=True)
    kubectl.send("apply", pod("reader", echo, restartPolicy="Never"))
    kubectl("wait", "--for=condition=Ready", "pod/reader", "--timeout=30s")
    pipe, line = subprocess.PIPE, kubectl.command("attach", "-i", "reader")
    with subprocess.Popen(line, env=kubectl.environment(**SPDY), stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("one\n")
        process.stdin.flush()
        assert process.stdout.readline() == "got one\n"
        process.kill()


def test_port_forward_over_spdy(web: Kubectl) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = web.command("port-forward", "pod/web", f"{port}:8080")
    with subprocess.Popen(line, env=web.environment(**SPDY), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "Forwarding from 127.0.0.1" in process.stdout.readline()
        for _ in range(3):
            assert fetch(f"http://127.0.0.1:{port}/").strip() == "web"
        process.kill()
