"""Two nodes on one host, the second in a network namespace: pods, Services and names reach across, both ways."""

import os
import signal
from collections.abc import Callable

import pytest

from kybern.testing.cluster import Cluster, Kubectl
from kybern.testing.cluster.manifests import container, deployment, pod, service
from kybern.testing.cluster.traces_on_host import host_state, nothing_left
from kybern.testing.cluster.waiting import fetch, until

pytestmark = [pytest.mark.containerd, pytest.mark.timeout(240)]
NODES = ("node-1", "node-2")


def pods_on_both(kubectl: Kubectl) -> dict[str, str]:
    """A visitor and a web server on each node; the web servers' addresses by node."""
    for node in NODES:
        web = deployment(f"web-{node}", 1, nodeName=node)
        kubectl.send("apply", web, service(f"web-{node}", type="NodePort"), pod(f"visitor-{node}", nodeName=node))
    for node in NODES:
        kubectl("rollout", "status", f"deployment/web-{node}", "--timeout=60s")
        kubectl("wait", "--for=condition=Ready", f"pod/visitor-{node}", "--timeout=60s")
    addresses = {}
    for node in NODES:
        jsonpath = "jsonpath={.items[0].status.podIP}"
        addresses[node] = kubectl("get", "pods", "-l", f"app=web-{node}", "-o", jsonpath)
    return addresses


def wget(kubectl: Kubectl, visitor: str, url: str) -> str:
    return kubectl("exec", f"visitor-{visitor}", "--", "wget", "-qO-", url)


def wget_at_last(kubectl: Kubectl, visitor: str, url: str) -> str:
    return until(lambda: wget(kubectl, visitor, url))


def fetch_at_last(url: str) -> str:
    return until(lambda: fetch(url))


def test_two_nodes(real: Cluster, kubectl_of: Callable[[Cluster], Kubectl]) -> None:
    before = host_state(real.data_dir)
    real.kybern("up", "--nodes", "2", "--secure-port", "0", timeout=90)
    kubectl = kubectl_of(real)
    kubectl("wait", "--for=condition=Ready", "node", *NODES, "--timeout=30s")
    kubectl.send("apply", deployment("spread", 4))
    kubectl("rollout", "status", "deployment/spread", "--timeout=60s")
    placed = kubectl("get", "pods", "-l", "app=spread", "-o", "jsonpath={.items[*].spec.nodeName}").split()
    assert sorted(placed) == ["node-1", "node-1", "node-2", "node-2"]
    addresses = pods_on_both(kubectl)
    for here in NODES:
        for there in NODES:
            answer = wget_at_last(kubectl, here, f"http://{addresses[there]}:8080/")
            assert answer.startswith(f"web-{there}-"), f"pod on {here} to pod on {there}"
            assert wget(kubectl, here, f"http://web-{there}/").startswith(f"web-{there}-"), "by Service and name"
    for there in NODES:
        assert fetch(f"http://{addresses[there]}:8080/").startswith(f"web-{there}-"), "from the host"
        spec = kubectl.json("get", "service", f"web-{there}")["spec"]
        assert fetch(f"http://{spec['clusterIP']}/").startswith(f"web-{there}-")
        for node in NODES:
            address = kubectl("get", "node", node, "-o", "jsonpath={.status.addresses[0].address}")
            url = f"http://{address}:{spec['ports'][0]['nodePort']}/"
            assert fetch_at_last(url).startswith(f"web-{there}-"), f"node port on {node}"
            for here in NODES:
                assert wget_at_last(kubectl, here, url).startswith(f"web-{there}-"), f"node port on {node} from {here}"
    assert kubectl("logs", "deployment/web-node-2") == ""
    source_is_kept(kubectl, addresses)
    real.kybern("down", timeout=90)
    until(lambda: nothing_left(real.data_dir, before), 5)
    real.kybern("up", timeout=90)
    kubectl = kubectl_of(real)
    until(lambda: wget(kubectl, "node-1", "http://web-node-2/").startswith("web-node-2-"), 60)
    supervisor_dies(real, kubectl)
    real.kybern("down", "--purge", timeout=90)
    until(lambda: nothing_left(real.data_dir, before), 5)


def source_is_kept(kubectl: Kubectl, addresses: dict[str, str]) -> None:
    """A pod sees the address of a pod on another node, not a node's."""
    for here, there in (NODES, NODES[::-1]):
        listen = container("nc -l -p 9000 -e sh -c 'sleep 2' & sleep 1000", name="listen")
        kubectl.send("apply", pod(f"listener-{there}", listen, nodeName=there))
        kubectl("wait", "--for=condition=Ready", f"pod/listener-{there}", "--timeout=30s")
        target = kubectl("get", "pod", f"listener-{there}", "-o", "jsonpath={.status.podIP}")
        visitor = kubectl("get", "pod", f"visitor-{here}", "-o", "jsonpath={.status.podIP}")
        kubectl("exec", f"visitor-{here}", "--", "sh", "-c", f"(sleep 2 | nc {target} 9000) >/dev/null 2>&1 &")
        seen = kubectl("exec", f"listener-{there}", "--", "netstat", "-tn")
        assert f"{visitor}:" in seen, f"{visitor} is hidden from {there}: {seen}"


def supervisor_dies(real: Cluster, kubectl: Kubectl) -> None:
    """The namespaces of further nodes outlive it, and with them the pods' network."""
    restarts = "jsonpath={.items[*].status.containerStatuses[*].restartCount}"
    before = kubectl("get", "pods", "-l", "app=spread", "-o", restarts)
    status = real.status()
    os.kill(status["supervisor"], signal.SIGKILL)
    until(lambda: not [row for row in status["processes"] if os.path.exists(f"/proc/{row['pid']}/exe")], 10)
    real.kybern("up", timeout=90)
    until(lambda: wget(kubectl, "node-1", "http://web-node-2/").startswith("web-node-2-"), 30)
    until(lambda: wget(kubectl, "node-2", "http://web-node-1/").startswith("web-node-1-"), 30)
    assert kubectl("get", "pods", "-l", "app=spread", "-o", restarts) == before
