"""DaemonSets and StatefulSets, end to end."""

import asyncio
from typing import Any

from kybern.client.resources import (
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    STATEFUL_SETS,
)
from kybern.controllers.core.pods import is_ready
from kybern.kube import meta
from kybern.kube.meta import Object


def template(image: str = "v1") -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": image}]}}


SELECTOR = {"matchLabels": {"app": "x"}}


def pod_is_ready(pod: Object) -> bool:
    return is_ready(pod) and not meta.is_deleting(pod)


async def images(cluster: Any) -> dict[str, str]:
    pods = (await cluster.admin.list(PODS, "default")).items
    return {meta.name(p): p["spec"]["containers"][0]["image"] for p in pods if not meta.is_deleting(p)}


def test_a_daemon_set_has_one_pod_on_every_node_that_admits_it(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.create(DAEMON_SETS, "ds", spec={"selector": SELECTOR, "template": template()})

        async def up(count: int) -> bool:
            status = (await cluster.admin.get(DAEMON_SETS, "ds", "default")).get("status", {})
            return bool(status.get("numberAvailable") == status.get("desiredNumberScheduled") == count)

        await cluster.until(lambda: up(2))
        await cluster.nodes.add("n2")
        await cluster.until(lambda: up(3))
        pods = (await cluster.admin.list(PODS, "default")).items
        assert sorted(pod["spec"]["nodeName"] for pod in pods) == ["n0", "n1", "n2"]
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "v2"}]
        await cluster.admin.patch(DAEMON_SETS, "ds", "default", patch=patch, patch_type="application/json-patch+json")

        async def rolled() -> bool:
            pods = (await cluster.admin.list(PODS, "default")).items
            assert sum(pod_is_ready(pod) for pod in pods) >= 2  # one unavailable at most
            found = await images(cluster)
            return set(found.values()) == {"v2"} and len(found) == 3 and await up(3)

        await cluster.until(rolled, 100)
        assert len(await cluster.names(CONTROLLER_REVISIONS)) == 2
        taint = {"key": "k", "effect": "NoExecute"}
        await cluster.admin.patch(NODES, "n2", patch={"spec": {"taints": [taint]}})
        await cluster.until(lambda: up(2))
        await asyncio.sleep(5)
        assert len(await cluster.names(PODS)) == 2

    simulate(test)


async def create_set(cluster: Any, **spec: Any) -> None:
    await cluster.create(
        STATEFUL_SETS,
        "db",
        spec={"selector": SELECTOR, "template": template(), "serviceName": "db", "replicas": 3, **spec},
    )


async def settled(cluster: Any) -> Object:
    async def probe() -> Object | None:
        found: Object = await cluster.admin.get(STATEFUL_SETS, "db", "default")
        status, wanted = found.get("status", {}), found["spec"]["replicas"]
        same = all(status.get(f, 0) == wanted for f in ("replicas", "availableReplicas", "updatedReplicas"))
        return found if same and status.get("observedGeneration") == found["metadata"]["generation"] else None

    found: Object = await cluster.until(probe, 120)
    return found


CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def test_claims_go_with_pods_that_are_scaled_away_and_with_the_set(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        policy = {"whenScaled": "Delete", "whenDeleted": "Delete"}
        await create_set(cluster, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=policy)
        await settled(cluster)

        async def left(*claims: str) -> bool:
            return bool(await cluster.names(PERSISTENT_VOLUME_CLAIMS) == [*claims])

        await cluster.admin.patch(STATEFUL_SETS, "db", "default", patch={"spec": {"replicas": 1}}, subresource="scale")
        await cluster.until(lambda: left("data-db-0"))
        await cluster.admin.delete(STATEFUL_SETS, "db", "default", propagation_policy="Background")
        await cluster.until(left)

    simulate(test)


def test_a_stateful_set_comes_up_in_order_and_goes_down_in_reverse(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await create_set(cluster, volumeClaimTemplates=[CLAIM])
        await settled(cluster)
        pods = (await cluster.admin.list(PODS, "default")).items
        assert [meta.name(pod) for pod in sorted(pods, key=lambda p: p["metadata"]["creationTimestamp"])] == [
            "db-0",
            "db-1",
            "db-2",
        ]
        assert {(p["spec"]["hostname"], p["spec"]["subdomain"]) for p in pods} == {(f"db-{n}", "db") for n in range(3)}
        assert await cluster.names(PERSISTENT_VOLUME_CLAIMS) == ["data-db-0", "data-db-1", "data-db-2"]
        await cluster.admin.patch(STATEFUL_SETS, "db", "default", patch={"spec": {"replicas": 1}}, subresource="scale")
        await asyncio.sleep(0.5)
        assert "db-1" in await images(cluster)  # db-2 goes first
        await settled(cluster)
        await asyncio.sleep(3)
        assert await cluster.names(PODS) == ["db-0"]
        assert len(await cluster.names(PERSISTENT_VOLUME_CLAIMS)) == 3
        await cluster.admin.delete(PODS, "db-0", "default")
        await asyncio.sleep(5)
        await settled(cluster)
        assert await cluster.names(PODS) == ["db-0"]

    simulate(test)


def test_an_update_replaces_pods_from_the_last_down_to_the_partition(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await create_set(cluster)
        before = await settled(cluster)
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
        patch: Any = {"spec": {"updateStrategy": strategy, "template": template("v2")}}
        await cluster.admin.patch(STATEFUL_SETS, "db", "default", patch=patch)
        await asyncio.sleep(20)
        assert await images(cluster) == {"db-0": "v1", "db-1": "v1", "db-2": "v2"}
        await cluster.admin.delete(PODS, "db-0", "default")
        await asyncio.sleep(10)
        assert (await images(cluster))["db-0"] == "v1"
        patch = {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}}
        await cluster.admin.patch(STATEFUL_SETS, "db", "default", patch=patch)
        after = await settled(cluster)
        assert set((await images(cluster)).values()) == {"v2"}
        await asyncio.sleep(1)
        after = await cluster.admin.get(STATEFUL_SETS, "db", "default")
        assert after["status"]["currentRevision"] == after["status"]["updateRevision"]
        assert after["status"]["currentRevision"] != before["status"]["currentRevision"]

    simulate(test)


def test_a_parallel_set_comes_up_at_once(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await create_set(cluster, podManagementPolicy="Parallel", replicas=5)
        await asyncio.sleep(0.5)
        assert len(await cluster.names(PODS)) == 5
        await settled(cluster)

    simulate(test)


def test_failed_daemon_pods_are_replaced_more_and_more_slowly(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        made: set[str] = set()

        async def seconds_until(count: int) -> float:
            begin = cluster.clock.now()

            async def probe() -> bool:
                made.update(meta.uid(pod) for pod in (await cluster.admin.list(PODS, "default")).items)
                return len(made) >= count

            await cluster.until(probe, 100)
            return float((cluster.clock.now() - begin).total_seconds())

        await cluster.create(DAEMON_SETS, "ds", spec={"selector": SELECTOR, "template": template("fails")})
        await seconds_until(5)
        assert await seconds_until(6) >= 7

    simulate(test, nodes=1)


def test_with_surge_every_node_has_an_available_pod_all_through_an_update(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        spec = {"selector": SELECTOR, "template": template(), "updateStrategy": strategy, "minReadySeconds": 5}
        await cluster.create(DAEMON_SETS, "ds", spec=spec)

        async def status() -> Object:
            found: Object = (await cluster.admin.get(DAEMON_SETS, "ds", "default")).get("status", {})
            return found

        async def available() -> bool:
            return bool((await status()).get("numberAvailable") == 2)

        await cluster.until(available, 60)
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "v2"}]
        await cluster.admin.patch(DAEMON_SETS, "ds", "default", patch=patch, patch_type="application/json-patch+json")
        most = 0

        async def rolled() -> bool:
            nonlocal most
            found = await images(cluster)
            most = max(most, len(found))
            assert sum(pod_is_ready(p) for p in (await cluster.admin.list(PODS, "default")).items) >= 2
            return sorted(found.values()) == ["v2", "v2"] and (await status()).get("updatedNumberScheduled") == 2

        await cluster.until(rolled, 100)
        assert most == 3

    simulate(test)
