"""A cluster whose store is a real etcd."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kybern.testing.cluster import Cluster, Kubectl
from kybern.testing.cluster.waiting import until
from kybern.testing.ports import free_ports

pytestmark = pytest.mark.timeout(240)


def answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


@pytest.fixture
def etcd(folder: Path) -> Iterator[str]:
    """host:port of an etcd of our own."""
    if shutil.which("etcd") is None:
        pytest.skip("needs etcd (apt-get install etcd-server)")
    client, peer = free_ports(2)
    urls = {"client": f"http://127.0.0.1:{client}", "peer": f"http://127.0.0.1:{peer}"}
    flags = [f"--listen-{kind}-urls={url}" for kind, url in urls.items()]
    flags += [f"--advertise-client-urls={urls['client']}", f"--initial-advertise-peer-urls={urls['peer']}"]
    flags += [f"--initial-cluster=default={urls['peer']}", f"--data-dir={folder}/etcd"]
    with (folder / "etcd.log").open("wb") as log:
        process = subprocess.Popen(["etcd", *flags], stdout=log, stderr=log)
    try:
        until(lambda: answers(client))
        yield f"127.0.0.1:{client}"
    finally:
        process.terminate()
        process.wait(20)


def test_main_path_and_restart(etcd: str, folder: Path, kubectl_of: Callable[[Cluster], Kubectl]) -> None:
    cluster = Cluster(folder / "c")
    flags = ("--nodes", "0", "--simulated-nodes", "2", "--secure-port", "0", "--store", f"etcd://{etcd}")
    cluster.kybern("up", *flags, timeout=90)
    kubectl = kubectl_of(cluster)
    kubectl("create", "deployment", "web", "--image=any:1", "--replicas=4")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    kubectl("expose", "deployment", "web", "--port=80")
    endpoints = "jsonpath={.subsets[*].addresses[*].ip}"
    until(lambda: len(kubectl("get", "endpoints", "web", "-o", endpoints).split()) == 4)
    uid = kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.uid}")
    os.kill(cluster.processes()["apiserver"]["pid"], signal.SIGKILL)
    until(lambda: cluster.processes()["apiserver"]["restarts"] == 1 and cluster.works(), 30)
    until(lambda: kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.uid}") == uid)
    kubectl("scale", "deployment", "web", "--replicas=6")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    cluster.kybern("down")
    cluster.kybern("up", timeout=90)
    kubectl = kubectl_of(cluster)
    shown = "jsonpath={.metadata.uid} {.status.readyReplicas}"
    until(lambda: kubectl("get", "deployment", "web", "-o", shown) == f"{uid} 6", 30)  # agents start again too
    assert not (cluster.data_dir / "store" / "kybern.db").exists()
    cluster.kybern("down", "--purge")
