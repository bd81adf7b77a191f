"""Probes of a pod's containers over its life, with a real socket behind them."""

import asyncio
from types import SimpleNamespace
from typing import Any

from kybern.clock import SystemClock
from kybern.node.core.runtime_pod import Container, RuntimePod, State
from kybern.node.probes import Probes
from kybern.telemetry import Telemetry

RUNNING = RuntimePod("u", "d", "p", (), (Container("c0", "c", "s0", state=State.RUNNING),))


async def until(reached: Any) -> None:
    async with asyncio.timeout(5):
        while not reached():
            await asyncio.sleep(0.01)


async def test_a_pod_that_is_stopped_is_asked_for_its_readiness_only() -> None:
    events: list[tuple[Any, ...]] = []
    node: Any = SimpleNamespace(
        host_ips=("127.0.0.1",),
        runtime=None,
        clock=SystemClock(),
        event=lambda *said: events.append(said),
        telemetry=Telemetry("test"),
    )
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    probe = {"tcpSocket": {"port": server.sockets[0].getsockname()[1]}, "periodSeconds": 0.02, "failureThreshold": 1}
    container = {"name": "c", "readinessProbe": probe, "livenessProbe": probe}
    pod = {"spec": {"hostNetwork": True, "containers": [container]}}
    async with asyncio.TaskGroup() as tasks:
        probes = Probes(node, tasks, lambda: None)
        probes.follow(pod, RUNNING)
        await until(lambda: probes.health(RUNNING).ready == {"c0"})
        probes.follow(pod, RUNNING, terminating=True)
        server.close()
        await until(lambda: not probes.health(RUNNING).ready)
        assert not probes.health(RUNNING).failed
        assert {said[3].split()[0] for said in events} == {"Readiness"}
        probes.stop()
