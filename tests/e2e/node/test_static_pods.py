"""Static pods: a file runs, its mirror shows it, deleting the mirror changes nothing."""

import asyncio
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.containerd, pytest.mark.asyncio]
World = Any


def is_ready(pod: Any) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


async def test_a_file_runs_and_is_mirrored(world: World) -> None:
    containers = [{"name": "main", "image": "kybern/busybox:1", "command": ["sleep", "1000"]}]
    spec = {"containers": containers, "terminationGracePeriodSeconds": 0}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "proxy"}, "spec": spec}
    world.manifests.mkdir(parents=True)
    (world.manifests / "proxy.yaml").write_text(yaml.safe_dump(manifest))
    mirror = await world.until("proxy-node-1", is_ready)
    assert mirror["metadata"]["annotations"]["kubernetes.io/config.source"] == "file"
    assert mirror["metadata"]["ownerReferences"][0]["kind"] == "Node"
    container = mirror["status"]["containerStatuses"][0]["containerID"]
    world.delete("proxy-node-1", 0)
    again = await world.until("proxy-node-1", is_ready)
    assert again["metadata"]["uid"] != mirror["metadata"]["uid"]
    assert again["status"]["containerStatuses"][0]["containerID"] == container
    await world.stop()
    await world.start()
    await asyncio.sleep(1.5)
    assert world.pod("proxy-node-1")["status"]["containerStatuses"][0]["containerID"] == container
    (world.manifests / "proxy.yaml").unlink()
    await world.until_gone("proxy-node-1")
    async with asyncio.timeout(10):
        while world.agent.workers:
            await asyncio.sleep(0.02)
