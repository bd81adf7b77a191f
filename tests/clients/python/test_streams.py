"""Exec and logs of the official Python client, on a node that runs containers."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config, stream

from kybern.testing.cluster import Cluster

pytestmark = [pytest.mark.containerd, pytest.mark.timeout(180)]
IMAGE = "kybern/busybox:1"
STARTS_WITHIN = 60


@pytest.fixture
def core(container_cluster: Cluster) -> Iterator[Any]:
    """The core API of a cluster with containers."""
    load: Any = config.new_client_from_config
    with load(str(container_cluster.kubeconfig)) as found:
        yield client.CoreV1Api(found)
        found.rest_client.pool_manager.clear()  # closing the client leaves its connections open


@pytest.fixture
def pod(core: Any) -> Iterator[str]:
    """A pod that says hello, then sleeps."""
    command = ["sh", "-c", "echo hello; sleep 600"]
    spec = {"containers": [{"name": "c", "image": IMAGE, "command": command}], "terminationGracePeriodSeconds": 0}
    deadline = time.monotonic() + STARTS_WITHIN
    core.create_namespaced_pod("default", {"metadata": {"name": "python"}, "spec": spec})
    while core.read_namespaced_pod("python", "default").status.phase != "Running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield "python"
    core.delete_namespaced_pod("python", "default", grace_period_seconds=0)


def test_exec_and_logs(core: Any, pod: str) -> None:
    run: Any = stream.stream
    command = ["sh", "-c", "echo out; echo err >&2; read line; echo got $line; exit 7"]
    session = run(
        core.connect_get_namespaced_pod_exec,
        pod,
        "default",
        command=command,
        stdin=True,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )
    session.write_stdin("a line\n")
    session.run_forever(timeout=20)
    assert (session.read_stdout(), session.read_stderr()) == ("out\ngot a line\n", "err\n")
    assert session.returncode == 7
    session.sock.shutdown()  # the client's own close() leaves the socket to the garbage collector
    assert core.read_namespaced_pod_log(pod, "default") == "hello\n"
