"""Namespaces: what each has from the start, and how it ends."""

import asyncio
from typing import Any

from kybern.client.resources import CONFIG_MAPS, NAMESPACES, PODS, SERVICE_ACCOUNTS, SERVICES
from kybern.kube.conditions import get_condition


def test_every_namespace_has_an_account_and_the_root_ca(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.create(NAMESPACES, "new")
        await asyncio.sleep(1)
        assert await cluster.names(SERVICE_ACCOUNTS, "new") == ["default"]
        ca = await cluster.admin.get(CONFIG_MAPS, "kube-root-ca.crt", "new")
        assert ca["data"]["ca.crt"].startswith("-----BEGIN CERTIFICATE-----")
        await cluster.admin.delete(SERVICE_ACCOUNTS, "default", "new")
        await cluster.admin.patch(CONFIG_MAPS, "kube-root-ca.crt", "new", patch={"data": {"ca.crt": "changed"}})
        await asyncio.sleep(1)
        assert await cluster.names(SERVICE_ACCOUNTS, "new") == ["default"]
        assert (await cluster.admin.get(CONFIG_MAPS, "kube-root-ca.crt", "new"))["data"] == ca["data"]

    simulate(test)


def test_a_deleted_namespace_takes_its_contents_along(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.create(NAMESPACES, "old")
        await asyncio.sleep(1)
        cluster.nodes.stop_seconds = 10.0
        metadata = {"namespace": "old"}
        await cluster.create(PODS, "p", metadata=metadata, spec={"containers": [{"name": "c", "image": "i"}]})
        await cluster.create(SERVICES, "s", metadata=metadata, spec={"ports": [{"port": 80}], "selector": {"a": "b"}})
        await cluster.create(CONFIG_MAPS, "held", metadata={**metadata, "finalizers": ["example.com/hold"]})
        await asyncio.sleep(3)
        await cluster.admin.delete(NAMESPACES, "old")
        await asyncio.sleep(5)
        namespace = await cluster.admin.get(NAMESPACES, "old")
        assert namespace["status"]["phase"] == "Terminating"
        remaining = get_condition(namespace, "NamespaceContentRemaining")
        assert remaining is not None
        assert remaining["message"] == "Some resources are remaining: pods. has 1 resource instances"
        await asyncio.sleep(20)
        namespace = await cluster.admin.get(NAMESPACES, "old")
        finalizers = get_condition(namespace, "NamespaceFinalizersRemaining")
        assert finalizers is not None
        assert "example.com/hold in 1 resource instances" in finalizers["message"]
        assert await cluster.names(SERVICES, "old") == []
        await cluster.admin.patch(CONFIG_MAPS, "held", "old", patch={"metadata": {"finalizers": None}})

        async def gone() -> bool:
            return await cluster.get(NAMESPACES, "old", "") is None

        await cluster.until(gone)
        await asyncio.sleep(30)
        assert await cluster.names(SERVICE_ACCOUNTS, "old") == []

    simulate(test)
