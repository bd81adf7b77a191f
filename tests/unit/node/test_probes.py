"""Whose verdicts an agent that starts anew takes over."""

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from kybern.node.core.runtime_pod import Container, RuntimePod, State
from kybern.node.probes import Probes


class Later:
    """A task group that begins nothing."""

    def create_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
        work.close()
        return asyncio.get_running_loop().create_future()


PROBE = {"httpGet": {"port": 1}}


@pytest.mark.parametrize("kind", ["container", "initContainer"])
@pytest.mark.parametrize("started", [True, False])
async def test_what_the_status_says(kind: str, started: bool) -> None:
    node: Any = SimpleNamespace(host_ips=(), runtime=None)
    tasks: Any = Later()
    probes = Probes(node, tasks, lambda: None)
    spec = {"name": "c", "startupProbe": {**PROBE, "terminationGracePeriodSeconds": 1}, "restartPolicy": "Always"}
    said = {"name": "c", "containerID": "containerd://id", "started": started, "ready": started}
    pod = {"spec": {"containers": [], f"{kind}s": [spec]}, "status": {f"{kind}Statuses": [said]}}
    running = RuntimePod("u", "ns", "p", containers=(Container("id", "c", "s", state=State.RUNNING),))
    probes.follow(pod, running)
    assert probes.health(running).started == ({"id"} if started else set())
    probes.follow(pod, RuntimePod("u", "ns", "p"))
    assert (probes._states, probes._running, probes._grace) == ({}, {}, {})
