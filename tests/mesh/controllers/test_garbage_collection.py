"""Owners and dependents: background, foreground, orphan, and owners that never were."""

import asyncio
from typing import Any

from kybern.client.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    PODS,
    REPLICA_SETS,
    SECRETS,
)
from kybern.kube import meta


def owned_by(owner: Any, *, block: bool = False) -> dict[str, Any]:
    ref = {**meta.owner_reference(owner, controller=False)}
    return {"ownerReferences": [{**ref, "blockOwnerDeletion": block}]}


def test_background_deletion_takes_everything_with_it(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment()
        await cluster.rolled_out()
        await cluster.admin.delete(DEPLOYMENTS, "web", "default", propagation_policy="Background")
        assert await cluster.get(DEPLOYMENTS, "web") is None
        await asyncio.sleep(5)
        assert await cluster.names(REPLICA_SETS) == []
        assert await cluster.names(PODS) == []

    simulate(test)


def test_foreground_deletion_ends_with_the_owner(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment()
        await cluster.rolled_out()
        cluster.nodes.stop_seconds = 20.0
        await cluster.admin.delete(DEPLOYMENTS, "web", "default", propagation_policy="Foreground")
        await asyncio.sleep(10)
        deployment = await cluster.get(DEPLOYMENTS, "web")
        assert deployment is not None
        assert meta.finalizers(deployment) == ["foregroundDeletion"]
        assert len(await cluster.names(REPLICA_SETS)) == 1
        await asyncio.sleep(20)
        assert await cluster.get(DEPLOYMENTS, "web") is None
        assert await cluster.names(REPLICA_SETS) == []
        assert await cluster.names(PODS) == []

    simulate(test)


def test_orphaned_dependents_stay(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment()
        await cluster.rolled_out()
        await cluster.admin.delete(DEPLOYMENTS, "web", "default", propagation_policy="Orphan")

        async def gone() -> bool:
            return await cluster.get(DEPLOYMENTS, "web") is None

        await cluster.until(gone)
        await asyncio.sleep(30)
        (rs,) = (await cluster.admin.list(REPLICA_SETS, "default")).items
        assert meta.owner_references(rs) == []
        assert len(await cluster.names(PODS)) == 3

    simulate(test)


def test_an_object_lives_as_long_as_one_owner_does(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        first = await cluster.create(CONFIG_MAPS, "first")
        second = await cluster.create(CONFIG_MAPS, "second")
        refs = [*owned_by(first)["ownerReferences"], *owned_by(second)["ownerReferences"]]
        await cluster.create(SECRETS, "dependent", metadata={"ownerReferences": refs})
        await asyncio.sleep(1)
        await cluster.admin.delete(CONFIG_MAPS, "first", "default")
        await asyncio.sleep(5)
        dependent = await cluster.get(SECRETS, "dependent")
        assert dependent is not None
        assert [ref["name"] for ref in meta.owner_references(dependent)] == ["second"]
        await cluster.admin.delete(CONFIG_MAPS, "second", "default")
        await asyncio.sleep(5)
        assert await cluster.get(SECRETS, "dependent") is None

    simulate(test)


def test_an_owner_that_is_not_there_or_another_of_its_name_condemns(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        real = await cluster.create(CONFIG_MAPS, "real")
        lost = {"metadata": {"name": "lost", "uid": "11111111-1111-4111-8111-111111111111"}}
        forged = {"metadata": {"name": "real", "uid": "22222222-2222-4222-8222-222222222222"}}
        for name, owner in (("kept", real), ("absent", lost), ("mistaken", forged)):
            ref = owned_by({"apiVersion": "v1", "kind": "ConfigMap", **owner})
            await cluster.create(SECRETS, name, metadata=ref)
        await asyncio.sleep(10)
        assert await cluster.names(SECRETS) == ["kept"]

    simulate(test)


def test_a_circle_of_foreground_deletions_is_broken(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        one = await cluster.create(CONFIG_MAPS, "one")
        two = await cluster.create(CONFIG_MAPS, "two", metadata=owned_by(one, block=True))
        await cluster.admin.patch(CONFIG_MAPS, "one", "default", patch={"metadata": owned_by(two, block=True)})
        await asyncio.sleep(1)
        await cluster.admin.delete(CONFIG_MAPS, "one", "default", propagation_policy="Foreground")
        await asyncio.sleep(60)
        names = await cluster.names(CONFIG_MAPS)
        assert not {"one", "two"} & set(names)

    simulate(test)
