"""PersistentVolumes and claims: protection, binding, release."""

import asyncio
from typing import Any

from kybern.client.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS


async def claim(cluster: Any, name: str, size: str = "1Gi", **spec: Any) -> Any:
    resources = {"requests": {"storage": size}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": resources, "storageClassName": "", **spec}
    return await cluster.create(PERSISTENT_VOLUME_CLAIMS, name, spec=spec)


async def volume(cluster: Any, name: str, size: str = "1Gi", labels: Any = None, **spec: Any) -> Any:
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}, "hostPath": {"path": "/v"}, **spec}
    return await cluster.create(PERSISTENT_VOLUMES, name, spec=spec, metadata={"labels": labels or {}})


async def gone(cluster: Any, resource: Any, name: str, seconds: float = 10) -> None:
    async def probe() -> bool:
        return await cluster.get(resource, name, "default" if resource.namespaced else "") is None

    await cluster.until(probe, seconds)


def test_a_claim_stays_while_a_pod_uses_it(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        made = await claim(cluster, "data")
        assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
        volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
        spec = {"containers": [{"name": "c", "image": "v1"}], "volumes": volumes, "nodeName": "n0"}
        await cluster.create(PODS, "user", spec=spec)
        await cluster.admin.delete(PERSISTENT_VOLUME_CLAIMS, "data", "default")
        await asyncio.sleep(20)
        kept = await cluster.get(PERSISTENT_VOLUME_CLAIMS, "data")
        assert kept["metadata"]["deletionTimestamp"]
        await cluster.admin.delete(PODS, "user", "default")
        await gone(cluster, PERSISTENT_VOLUME_CLAIMS, "data")
        await claim(cluster, "idle")
        await cluster.admin.delete(PERSISTENT_VOLUME_CLAIMS, "idle", "default")
        await gone(cluster, PERSISTENT_VOLUME_CLAIMS, "idle")

    simulate(test)


def test_an_unbound_volume_goes_at_once(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        made = await volume(cluster, "v")
        assert made["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]
        await cluster.admin.delete(PERSISTENT_VOLUMES, "v")
        await gone(cluster, PERSISTENT_VOLUMES, "v")

    simulate(test)
