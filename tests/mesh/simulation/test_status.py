"""What a node says of its pods stands, also when somebody else has said otherwise meanwhile."""

import asyncio
from random import Random
from typing import Any

from kybern.apiserver.service import SERVICE as APISERVER
from kybern.client.objects import STRATEGIC_MERGE_PATCH, Client
from kybern.client.resources import PODS
from kybern.clock.virtual import VirtualClock, run
from kybern.kube.meta import Object
from kybern.node.core.pod_update import drifted
from kybern.node.service import SERVICE as NODE
from kybern.testing.mesh import mesh


async def ready(client: Client) -> bool:
    pod = await client.get(PODS, "p", "default")
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


async def until_ready(client: Client) -> None:
    async with asyncio.timeout(60):
        while not await ready(client):
            await asyncio.sleep(0.1)


def test_a_status_that_was_overwritten_is_put_right() -> None:
    found: list[Any] = []

    async def main(clock: VirtualClock, random: Random) -> None:
        async with mesh(1, clock) as net:
            await net.start(APISERVER, "--store", "sqlite::memory:")
            await net.start(NODE, "--runtime", "simulated", "--node-name", "n")
            async with net.client() as admin:
                spec = {"nodeName": "n", "containers": [{"name": "main", "image": "simulated/web"}]}
                await admin.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
                await until_ready(admin)
                for _ in range(2):
                    lost = {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "NodeNotReady"}]}}
                    await admin.patch(
                        PODS, "p", "default", patch=lost, patch_type=STRATEGIC_MERGE_PATCH, subresource="status"
                    )
                    found.append(await ready(admin))
                    began = clock.elapsed
                    await until_ready(admin)
                    found.append(clock.elapsed - began < 5)
                settled = (await admin.get(PODS, "p", "default"))["metadata"]["resourceVersion"]
                await asyncio.sleep(30)
                found.append((await admin.get(PODS, "p", "default"))["metadata"]["resourceVersion"] == settled)

    run(main, seed=1)
    assert found == [False, True, False, True, True]


def test_drift_is_what_the_node_owns() -> None:
    def pod(phase: str = "Running", **conditions: str) -> Object:
        return {"status": {"phase": phase, "conditions": [{"type": t, "status": s} for t, s in conditions.items()]}}

    own = pod(Ready="True", Initialized="True")["status"]
    assert not drifted(pod(Ready="True", Initialized="True", PodScheduled="True"), own)
    assert not drifted(pod(), None)
    assert drifted(pod(Ready="False", Initialized="True"), own)
    assert drifted(pod("Pending", Ready="True", Initialized="True"), own)
    assert drifted({}, own)
