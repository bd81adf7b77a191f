"""Services, their Endpoints and EndpointSlices, as pods come, go and fail."""

import asyncio
from typing import Any

from kybern.client.resources import ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES
from kybern.kube import meta


async def ready_addresses(cluster: Any) -> tuple[list[str], list[str], list[str]]:
    """From Endpoints, from slices, and from the ready pods themselves."""
    endpoints = await cluster.admin.get(ENDPOINTS, "web", "default")
    old = [a["ip"] for subset in endpoints.get("subsets", []) for a in subset.get("addresses", [])]
    slices = (
        await cluster.admin.list(ENDPOINT_SLICES, "default", label_selector="kubernetes.io/service-name=web")
    ).items
    new = [a for s in slices for e in s.get("endpoints") or [] if e["conditions"]["ready"] for a in e["addresses"]]
    pods = [
        pod["status"]["podIP"]
        for pod in (await cluster.admin.list(PODS, "default", label_selector="app=web")).items
        if pod["status"].get("podIP")
        and not meta.is_deleting(pod)
        and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
    ]
    return sorted(old), sorted(new), sorted(pods)


def test_endpoints_follow_pods(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.create(SERVICES, "web", spec={"ports": [{"port": 80}], "selector": {"app": "web"}})
        await asyncio.sleep(1)
        assert await ready_addresses(cluster) == ([], [], [])
        await cluster.deployment()
        await cluster.rolled_out()
        await asyncio.sleep(1)
        old, new, pods = await ready_addresses(cluster)
        assert len(pods) == 3
        assert old == new == pods
        cluster.nodes.stop_seconds = 30.0
        victim = (await cluster.names(PODS))[0]
        await cluster.admin.delete(PODS, victim, "default")
        await asyncio.sleep(0.5)
        old, new, pods = await ready_addresses(cluster)
        assert len(pods) == 2
        assert old == new == pods
        (slice_,) = (await cluster.admin.list(ENDPOINT_SLICES, "default")).items[-1:]
        leaving = [e for e in slice_["endpoints"] if e["conditions"]["terminating"]]
        assert [e["targetRef"]["name"] for e in leaving] == [victim]
        await asyncio.sleep(60)
        old, new, pods = await ready_addresses(cluster)
        assert old == new == pods
        assert len(pods) == 3
        await cluster.admin.delete(SERVICES, "web", "default")
        await asyncio.sleep(5)
        assert "web" not in await cluster.names(ENDPOINTS)
        found = await cluster.names(ENDPOINT_SLICES, label_selector="kubernetes.io/service-name=web")
        assert found == []

    simulate(test)


def test_endpoints_settle(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.create(SERVICES, "web", spec={"ports": [{"port": 80}], "selector": {"app": "web"}})
        await cluster.deployment()
        await cluster.rolled_out()
        await asyncio.sleep(5)
        before = [meta.resource_version(o) for o in (await cluster.admin.list(ENDPOINT_SLICES)).items]
        before += [meta.resource_version(o) for o in (await cluster.admin.list(ENDPOINTS)).items]
        await asyncio.sleep(600)
        after = [meta.resource_version(o) for o in (await cluster.admin.list(ENDPOINT_SLICES)).items]
        after += [meta.resource_version(o) for o in (await cluster.admin.list(ENDPOINTS)).items]
        assert before == after

    simulate(test)
