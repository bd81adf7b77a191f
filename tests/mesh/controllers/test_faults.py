"""Controllers on a bad network: slow messages, connections that break, an apiserver that cannot be reached."""

import asyncio
from random import Random
from typing import Any

import pytest

from kybern.client.resources import DEPLOYMENTS, ENDPOINT_SLICES, JOBS, PODS, REPLICA_SETS, SERVICES
from kybern.controllers.service import SERVICE
from kybern.kube import meta
from kybern.kube.status import StatusError

USER, TARGET = "system:kube-controller-manager", "apiserver:1"


@pytest.mark.parametrize("seed", range(4))
def test_everything_comes_right_on_a_bad_network(simulate: Any, seed: int) -> None:
    async def test(cluster: Any) -> None:
        chaos = Random(seed)
        network = cluster.net.network
        network.latency = (0.0, 0.2)
        await cluster.create(SERVICES, "web", spec={"ports": [{"port": 80}], "selector": {"app": "web"}})
        pod = {"containers": [{"name": "c", "image": "done"}], "restartPolicy": "Never"}
        await cluster.create(JOBS, "job", spec={"template": {"spec": pod}, "completions": 4, "parallelism": 2})
        await cluster.deployment(replicas=5)
        for number in range(12):
            await asyncio.sleep(chaos.random() * 4)
            match chaos.randrange(3):
                case 0:
                    network.break_calls(USER, TARGET)
                case 1:
                    network.cut(USER, TARGET)
                    await asyncio.sleep(chaos.random() * 5)
                    network.heal(USER, TARGET)
                case _:
                    await change(cluster, chaos, number)
        network.latency = (0.0, 0.0)
        await cluster.set_image("last")
        await asyncio.sleep(180)
        await cluster.rolled_out()
        wanted = (await cluster.admin.get(DEPLOYMENTS, "web", "default"))["spec"]["replicas"]
        pods = (await cluster.admin.list(PODS, "default", label_selector="app=web")).items
        assert len(pods) == wanted
        assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {"last"}
        sizes = [rs["spec"]["replicas"] for rs in (await cluster.admin.list(REPLICA_SETS, "default")).items]
        assert sum(sizes) == wanted
        found = (
            await cluster.admin.list(ENDPOINT_SLICES, "default", label_selector="kubernetes.io/service-name=web")
        ).items
        addresses = [address for s in found for e in s.get("endpoints") or [] for address in e["addresses"]]
        assert sorted(addresses) == sorted(pod["status"]["podIP"] for pod in pods)
        job = await cluster.admin.get(JOBS, "job", "default")
        assert job["status"]["succeeded"] == 4
        assert len([p for p in await cluster.names(PODS) if p.startswith("job-")]) == 4

    async def change(cluster: Any, chaos: Random, number: int) -> None:
        if chaos.random() < 0.5:
            await cluster.set_image(f"v{number}")
            return
        scale = {"spec": {"replicas": chaos.randrange(1, 8)}}
        await cluster.admin.patch(DEPLOYMENTS, "web", "default", patch=scale, subresource="scale")
        for pod in (await cluster.admin.list(PODS, "default", label_selector="app=web")).items[:2]:
            try:
                await cluster.admin.delete(PODS, meta.name(pod), "default")
            except StatusError as error:
                if error.code != 404:
                    raise

    simulate(test, seed=seed)


def test_a_restarted_controller_goes_on_where_it_stopped(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment(replicas=6)
        await asyncio.sleep(1.5)
        for number in range(4):
            await cluster.set_image(f"v{number}")
            await asyncio.sleep(0.7)
            await cluster.controllers.stop()
            cluster.controllers = await cluster.net.start(SERVICE, address=f"controllers:{number + 10}")
        await cluster.rolled_out()
        await asyncio.sleep(3)
        assert len(await cluster.names(PODS)) == 6

    simulate(test)
