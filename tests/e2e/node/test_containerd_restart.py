"""The container runtime dies and comes back: containers run on, the node says what it knows."""

import asyncio
import os
import signal
from typing import Any

import pytest

from kybern.runtime import containerd
from kybern.runtime.containerd_cleanup import processes_with

pytestmark = [pytest.mark.containerd, pytest.mark.asyncio]
World = Any
RUNNING: list[Any] = []  # a process object that is dropped while its process runs warns


def is_ready(pod: Any) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


def node_ready(world: World) -> str:
    node = world.api.get(("", "nodes"), "node-1")
    return str({c["type"]: c["status"] for c in node["status"]["conditions"]}["Ready"])


async def until(check: Any, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.05)


async def test_containers_survive(world: World) -> None:
    world.run_pod("stay", {"command": ["sleep", "1000"]})
    before = await world.until("stay", is_ready)
    for pid in processes_with(("containerd", "--config", str(world.layout.config))):
        os.kill(pid, signal.SIGKILL)
    await until(lambda: node_ready(world) == "False")
    assert world.pod("stay")["status"] == before["status"]
    RUNNING.append(await asyncio.to_thread(containerd.start, world.layout))
    await until(lambda: node_ready(world) == "True")
    assert world.pod("stay")["status"]["containerStatuses"] == before["status"]["containerStatuses"]
    assert await world.exec("stay", "hostname") == "stay\n"
    world.run_pod("next", {"command": ["sleep", "1000"]})
    await world.until("next", is_ready)


async def test_an_end_while_nobody_listened_is_seen(world: World) -> None:
    world.run_pod("brief", {"command": ["sh", "-c", "trap exit TERM; sleep 1000 & wait"]})
    before = await world.until("brief", is_ready)
    for pid in processes_with(("containerd", "--config", str(world.layout.config))):
        os.kill(pid, signal.SIGKILL)
    for pid in processes_with(("sh", "trap exit TERM; sleep 1000 & wait")):
        os.kill(pid, signal.SIGKILL)
    RUNNING.append(await asyncio.to_thread(containerd.start, world.layout))
    restarted = await world.until("brief", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1, 40)
    assert restarted["metadata"]["uid"] == before["metadata"]["uid"]
