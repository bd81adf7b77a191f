"""Endpoints written by hand, and the slices that mirror them."""

import asyncio
from typing import Any

from kybern.client.resources import ENDPOINT_SLICES, ENDPOINTS, SERVICES

MANAGER = "endpointslicemirroring-controller.k8s.io"


async def slices(cluster: Any) -> list[Any]:
    selector = f"endpointslice.kubernetes.io/managed-by={MANAGER}"
    found: list[Any] = (await cluster.admin.list(ENDPOINT_SLICES, "default", label_selector=selector)).items
    return found


def subset(*addresses: str, port: int = 80, **members: Any) -> dict[str, Any]:
    return {"addresses": [{"ip": ip} for ip in addresses], "ports": [{"name": "http", "port": port}], **members}


def test_endpoints_are_mirrored_while_they_are_there(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.create(SERVICES, "db", spec={"ports": [{"port": 80}]})
        labels = {"a": "b"}
        made = await cluster.create(ENDPOINTS, "db", subsets=[subset("10.1.2.3")], metadata={"labels": labels})

        async def mirrored() -> Any:
            return await slices(cluster)

        (slice_,) = await cluster.until(mirrored, 5)
        assert slice_["metadata"]["labels"] == {
            "a": "b",
            "kubernetes.io/service-name": "db",
            "endpointslice.kubernetes.io/managed-by": MANAGER,
        }
        assert slice_["metadata"]["ownerReferences"][0]["kind"] == "Endpoints"
        assert slice_["addressType"] == "IPv4"
        assert [(p["name"], p["port"], p["protocol"]) for p in slice_["ports"]] == [("http", 80, "TCP")]
        assert slice_["endpoints"] == [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}]
        await asyncio.sleep(20)
        assert (await slices(cluster))[0]["metadata"]["resourceVersion"] == slice_["metadata"]["resourceVersion"]
        made["subsets"] = [subset("10.2.3.4", port=8080, notReadyAddresses=[{"ip": "10.2.3.5"}]), subset("fd00::1")]
        await cluster.admin.update(ENDPOINTS, made)

        async def changed() -> Any:
            return len(await slices(cluster)) == 2

        await cluster.until(changed, 5)
        found = {s["addressType"]: s for s in await slices(cluster)}
        assert found["IPv4"]["metadata"]["name"] == slice_["metadata"]["name"]
        assert [(e["addresses"][0], e["conditions"]["ready"]) for e in found["IPv4"]["endpoints"]] == [
            ("10.2.3.4", True),
            ("10.2.3.5", False),
        ]
        assert found["IPv6"]["endpoints"][0]["addresses"] == ["fd00::1"]
        await cluster.admin.delete(ENDPOINTS, "db", "default")

        async def gone() -> Any:
            return not await slices(cluster)

        await cluster.until(gone, 5)

    simulate(test)


def test_what_is_not_mirrored(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        skip = {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}
        leader = {"annotations": {"control-plane.alpha.kubernetes.io/leader": "x"}}
        for name, metadata in (("skipped", skip), ("leader", leader)):
            await cluster.create(SERVICES, name, spec={"ports": [{"port": 80}]})
            await cluster.create(ENDPOINTS, name, subsets=[subset("10.1.2.3")], metadata=metadata)
        await cluster.create(ENDPOINTS, "nobody", subsets=[subset("10.1.2.3")])
        await cluster.create(SERVICES, "selecting", spec={"ports": [{"port": 80}], "selector": {"a": "b"}})
        await asyncio.sleep(10)
        assert await slices(cluster) == []
        await cluster.create(SERVICES, "nobody", spec={"ports": [{"port": 80}]})
        await asyncio.sleep(2)
        assert len(await slices(cluster)) == 1
        await cluster.admin.patch(SERVICES, "nobody", "default", patch={"spec": {"selector": {"a": "b"}}})
        await asyncio.sleep(2)
        assert await slices(cluster) == []

    simulate(test)
