"""Pods on a real containerd: they run, end, restart, and go."""

import time
from typing import Any

import pytest

pytestmark = [pytest.mark.containerd, pytest.mark.asyncio]
World = Any


def phase(name: str) -> Any:
    return lambda pod: pod.get("status", {}).get("phase") == name


def first(pod: Any) -> Any:
    return pod.get("status", {}).get("containerStatuses", [{}])[0]


def is_ready(pod: Any) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


async def test_runs_and_goes(world: World) -> None:
    start = time.monotonic()
    world.run_pod("web", {"command": ["sleep", "100"]})
    pod = await world.until("web", is_ready)
    print("running after", time.monotonic() - start)
    status = pod["status"]
    assert status["phase"] == "Running"
    assert status["podIP"].startswith("10.244.77.")
    assert first(pod)["containerID"].startswith("containerd://")
    assert "startedAt" in first(pod)["state"]["running"]
    assert await world.exec("web", "hostname") == "web\n"
    world.delete("web")
    await world.until_gone("web")
