"""One part dies at a time: what runs goes on untouched, and everything works again in a moment."""

import os
import signal
from collections.abc import Iterator

import pytest

from kybern.testing.cluster import Cluster, Kubectl
from kybern.testing.cluster.manifests import deployment, pod, service
from kybern.testing.cluster.waiting import fetch, until

pytestmark = pytest.mark.containerd
SERVICES = ("apiserver", "gateway", "scheduler", "controllers", "node-1", "proxy-node-1", "dns", "traces")
BACK_WITHIN = 15  # seconds
STATE = "{range .items[*]}{.metadata.name} {.status.containerStatuses[*].containerID} {..restartCount}{'\\n'}{end}"


@pytest.fixture
def web(kubectl: Kubectl) -> Iterator[Kubectl]:
    """Two web servers behind a Service, and a visitor."""
    kubectl.send("apply", deployment("web", 2), service("web"), pod("visitor"))
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    kubectl("wait", "--for=condition=Ready", "pod/visitor", "--timeout=30s")
    yield kubectl
    kubectl("delete", "pods", "--all", "--grace-period=0", "--force")


def running(kubectl: Kubectl) -> set[str]:
    """Each pod with its containers and restarts."""
    return set(kubectl("get", "pods", "-l", "app in (web, visitor)", "-o", f"jsonpath={STATE}").splitlines())


def kill(cluster: Cluster, name: str) -> int:
    """SIGKILL one process; how often it has been restarted before."""
    row = cluster.processes()[name]
    os.kill(row["pid"], signal.SIGKILL)
    return int(row["restarts"])


def back(cluster: Cluster, before: dict[str, int]) -> None:
    """Wait until these processes have been restarted, and everything is ready."""

    def look() -> bool:
        rows = cluster.processes()
        again = all(rows[name]["restarts"] > restarts for name, restarts in before.items())
        return again and all(row["ready"] for row in rows.values())

    until(look, BACK_WITHIN)


def main_job(kubectl: Kubectl) -> None:
    """A new application, from its Deployment to its name, whatever was just restarted."""
    kubectl.send("apply", deployment("fresh", 1), service("fresh"))
    kubectl("rollout", "status", "deployment/fresh", "--timeout=30s")
    until(lambda: fetch(f"http://{kubectl.json('get', 'service', 'fresh')['spec']['clusterIP']}/"), 10)
    until(lambda: kubectl("exec", "visitor", "--", "wget", "-qO-", "http://fresh/").startswith("fresh-"), 10)
    kubectl("delete", "deployment/fresh", "service/fresh")


@pytest.mark.parametrize("name", SERVICES)
def test_a_killed_service_comes_back(container_cluster: Cluster, web: Kubectl, name: str) -> None:
    before = running(web)
    assert len(before) == 3
    url = f"http://{web.json('get', 'service', 'web')['spec']['clusterIP']}/"
    restarts = kill(container_cluster, name)
    assert fetch(url).startswith("web-"), "connections do not need the control plane"
    back(container_cluster, {name: restarts})
    assert container_cluster.processes()[name]["restarts"] == restarts + 1
    main_job(web)
    assert running(web) == before


def test_killed_containerd_comes_back(container_cluster: Cluster, web: Kubectl) -> None:
    before = running(web)
    url = f"http://{web.json('get', 'service', 'web')['spec']['clusterIP']}/"
    restarts = kill(container_cluster, "containerd-node-1")
    assert fetch(url).startswith("web-")
    back(container_cluster, {"containerd-node-1": restarts})
    until(lambda: web("exec", "visitor", "--", "echo", "here") == "here", BACK_WITHIN)
    main_job(web)
    assert running(web) == before


def test_everything_but_the_runtime_dies_at_once(container_cluster: Cluster, web: Kubectl) -> None:
    before = running(web)
    back(container_cluster, {name: kill(container_cluster, name) for name in SERVICES})
    main_job(web)
    assert running(web) == before
