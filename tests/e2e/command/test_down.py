"""`kybern down` leaves nothing; `kybern up` brings the same cluster back, however the last one ended."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from kybern.testing.cluster import Cluster, Kubectl
from kybern.testing.cluster.manifests import container, deployment, pod, service
from kybern.testing.cluster.traces_on_host import host_state, nothing_left, processes
from kybern.testing.cluster.waiting import fetch, until

pytestmark = [pytest.mark.containerd, pytest.mark.timeout(300)]
Of = Callable[[Cluster], Kubectl]
ALIVE_AFTER_SUPERVISOR = 5  # seconds


def up(cluster: Cluster, *flags: str) -> str:
    return cluster.kybern("up", "--nodes", "1", "--secure-port", "0", *flags, timeout=90)


def fill(kubectl: Kubectl) -> None:
    """Pods with everything that leaves something behind: volumes, host ports, other namespaces, crashes."""
    volumes = [{"name": "memory", "emptyDir": {"medium": "Memory"}}]
    mounts = [{"name": "memory", "mountPath": "/memory"}]
    port = container(name="port", ports=[{"containerPort": 80, "hostPort": 18080}], volumeMounts=mounts)
    kubectl.send(
        "apply",
        deployment("web", 2),
        service("web", type="NodePort"),
        pod("port", port, volumes=volumes),
        pod("host", hostNetwork=True, hostPID=True),
        pod("crash", container("exit 1")),
    )
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    kubectl("wait", "--for=condition=Ready", "pod/port", "pod/host", "--timeout=60s")
    url = f"http://{kubectl.json('get', 'service', 'web')['spec']['clusterIP']}/"
    assert until(lambda: fetch(url)).startswith("web-")


def uids(kubectl: Kubectl) -> set[str]:
    jsonpath = "jsonpath={.items[*].metadata.uid}"
    return set(kubectl("get", "pods,services,deployments,replicasets,nodes", "-o", jsonpath).split())


def test_down_leaves_nothing_and_up_brings_it_back(real: Cluster, kubectl_of: Of) -> None:
    before = host_state(real.data_dir)
    up(real)
    kubectl = kubectl_of(real)
    fill(kubectl)
    known = uids(kubectl)
    real.kybern("down", timeout=90)
    until(lambda: nothing_left(real.data_dir, before), 5)
    assert real.data_dir.exists()
    up(real)
    assert uids(kubectl_of(real)) == known
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=60s")
    kubectl("wait", "--for=condition=Ready", "pod/port", "pod/host", "--timeout=60s")
    url = f"http://{kubectl.json('get', 'service', 'web')['spec']['clusterIP']}/"
    assert until(lambda: fetch(url)).startswith("web-")
    assert kubectl("exec", "port", "--", "echo", "again") == "again"
    real.kybern("down", "--purge", timeout=90)
    until(lambda: nothing_left(real.data_dir, before), 5)
    assert not real.data_dir.exists()


def test_supervisor_dies(real: Cluster, kubectl_of: Of) -> None:
    before = host_state(real.data_dir)
    up(real)
    kubectl = kubectl_of(real)
    fill(kubectl)
    known, status = uids(kubectl), real.status()
    os.kill(status["supervisor"], signal.SIGKILL)
    pids = [row["pid"] for row in status["processes"]]
    until(lambda: not [pid for pid in pids if running(pid)], ALIVE_AFTER_SUPERVISOR)
    up(real)
    assert uids(kubectl_of(real)) == known
    kubectl("wait", "--for=condition=Ready", "pod/port", "pod/host", "--timeout=60s")
    assert kubectl("exec", "port", "--", "echo", "again") == "again"
    os.kill(real.status()["supervisor"], signal.SIGKILL)
    time.sleep(0.2)
    real.kybern("down", timeout=90)
    until(lambda: nothing_left(real.data_dir, before), 5)


def running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_everything_is_killed_at_once(real: Cluster, kubectl_of: Of) -> None:
    before = host_state(real.data_dir)
    up(real)
    kubectl = kubectl_of(real)
    kubectl.send("apply", pod("box"))
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=60s")
    ours = processes(real.data_dir)
    assert len(ours) > 10, "services, containerd, a shim"
    for pid in ours:
        os.kill(pid, signal.SIGKILL)
    up(real)
    kubectl = kubectl_of(real)
    until(lambda: kubectl("exec", "box", "--", "echo", "again") == "again", 40)
    real.kybern("down", timeout=90)
    until(lambda: nothing_left(real.data_dir, before), 5)
