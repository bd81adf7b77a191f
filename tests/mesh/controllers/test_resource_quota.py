"""ResourceQuota status, from admission and controller together."""

import asyncio
from typing import Any

from kybern.client.resources import CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, PODS, RESOURCE_QUOTAS, Resource
from kybern.controllers.service import SERVICE as CONTROLLERS
from kybern.kube.status import StatusError

WIDGETS = Resource("example.com", "v1", "widgets", "Widget")


async def used(cluster: Any, name: str = "q") -> dict[str, str]:
    quota = await cluster.admin.get(RESOURCE_QUOTAS, name, "default")
    found: dict[str, str] = (quota.get("status") or {}).get("used") or {}
    return found


async def uses(cluster: Any, expected: dict[str, str], name: str = "q", seconds: float = 10) -> None:
    async def probe() -> bool:
        return await used(cluster, name) == expected

    await cluster.until(probe, seconds)


def test_a_deployment_fills_its_quota_and_no_more(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        hard = {"pods": "3", "count/deployments.apps": "2"}
        await cluster.create(RESOURCE_QUOTAS, "q", spec={"hard": hard})
        await uses(cluster, {"pods": "0", "count/deployments.apps": "0"})
        await cluster.deployment(replicas=5)
        await uses(cluster, {"pods": "3", "count/deployments.apps": "1"})
        await asyncio.sleep(30)
        assert len(await cluster.names(PODS)) == 3
        await cluster.admin.patch(RESOURCE_QUOTAS, "q", "default", patch={"spec": {"hard": {"pods": "4"}}})

        async def filled() -> bool:
            return len(await cluster.names(PODS)) == 4

        await cluster.until(filled, 120)
        await uses(cluster, {"pods": "4", "count/deployments.apps": "1"})

    simulate(test)


def test_what_ends_or_goes_is_given_back(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.create(RESOURCE_QUOTAS, "q", spec={"hard": {"pods": "1", "count/pods": "5", "configmaps": "9"}})
        await uses(cluster, {"pods": "0", "count/pods": "0", "configmaps": "1"})
        spec = {"containers": [{"name": "c", "image": "done"}], "restartPolicy": "Never"}
        await cluster.create(PODS, "a", spec=spec)
        assert await used(cluster) == {"pods": "1", "count/pods": "1", "configmaps": "1"}
        await uses(cluster, {"pods": "0", "count/pods": "1", "configmaps": "1"})
        await cluster.admin.delete(PODS, "a", "default")
        await cluster.create(CONFIG_MAPS, "c")
        await uses(cluster, {"pods": "0", "count/pods": "0", "configmaps": "2"})
        await cluster.admin.delete(CONFIG_MAPS, "c", "default")
        await uses(cluster, {"pods": "0", "count/pods": "0", "configmaps": "1"}, seconds=2)

    simulate(test)


def test_custom_resources_are_counted(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.create(RESOURCE_QUOTAS, "q", spec={"hard": {"count/widgets.example.com": "1"}})
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        names = {"plural": "widgets", "singular": "widget", "kind": "Widget"}
        spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
        await cluster.create(CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.com", spec=spec)
        await uses(cluster, {"count/widgets.example.com": "0"})
        await cluster.create(WIDGETS, "a")
        assert await used(cluster) == {"count/widgets.example.com": "1"}
        try:
            await cluster.create(WIDGETS, "b")
        except StatusError as error:
            assert "exceeded quota" in error.message  # noqa: PT017
        await cluster.admin.delete(WIDGETS, "a", "default")
        await uses(cluster, {"count/widgets.example.com": "0"})

    simulate(test)


def test_a_storm_of_creations_and_deletions_never_exceeds(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.create(RESOURCE_QUOTAS, "q", spec={"hard": {"count/configmaps": "11"}})
        await uses(cluster, {"count/configmaps": "1"})
        most = 0

        async def churn(number: int) -> None:
            nonlocal most
            async with cluster.net.client() as client:
                for step in range(10):
                    name = f"c{number}-{step}"
                    try:
                        await client.create(CONFIG_MAPS, {"metadata": {"name": name, "namespace": "default"}})
                    except StatusError:
                        await asyncio.sleep(0.2)
                        continue
                    there = len((await client.list(CONFIG_MAPS, "default")).items)
                    most = max(most, there)
                    await asyncio.sleep(0.05 * (number % 5))
                    await client.delete(CONFIG_MAPS, name, "default")

        await asyncio.gather(*(churn(number) for number in range(50)))
        assert most == 11
        await uses(cluster, {"count/configmaps": "1"}, seconds=20)

    simulate(test)


def test_without_the_garbage_collector_quotas_are_counted_all_the_same(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.controllers.stop()
        await cluster.net.start(CONTROLLERS, "--controllers", "resourcequota-controller", address="controllers:2")
        await cluster.create(RESOURCE_QUOTAS, "q", spec={"hard": {"count/secrets": "3"}})
        await uses(cluster, {"count/secrets": "0"})

    simulate(test)
