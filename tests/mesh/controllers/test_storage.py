"""PersistentVolumes and claims: protection, binding, release."""

import asyncio
from typing import Any

from kybern.client.resources import (
    EVENTS,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    STORAGE_CLASSES,
    VOLUME_ATTRIBUTES_CLASSES,
)


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


async def bound(cluster: Any, name: str, seconds: float = 10) -> Any:
    async def probe() -> Any:
        found = await cluster.get(PERSISTENT_VOLUME_CLAIMS, name)
        return found if found["status"]["phase"] == "Bound" else None

    return await cluster.until(probe, seconds)


async def in_phase(cluster: Any, name: str, phase: str, seconds: float = 10) -> Any:
    async def probe() -> Any:
        found = await cluster.get(PERSISTENT_VOLUMES, name, "")
        return found if found["status"]["phase"] == phase else None

    return await cluster.until(probe, seconds)


def test_a_claim_gets_the_smallest_volume_that_fits_and_gives_it_back(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        for name, size in (("big", "10Gi"), ("fits", "2Gi"), ("small", "500Mi")):
            await volume(cluster, name, size)
        await claim(cluster, "data", "1Gi")
        found = await bound(cluster, "data")
        assert found["spec"]["volumeName"] == "fits"
        assert found["status"]["capacity"] == {"storage": "2Gi"}
        assert found["status"]["accessModes"] == ["ReadWriteOnce"]
        assert found["metadata"]["annotations"] == {
            "pv.kubernetes.io/bind-completed": "yes",
            "pv.kubernetes.io/bound-by-controller": "yes",
        }
        taken = await in_phase(cluster, "fits", "Bound")
        assert taken["spec"]["claimRef"]["uid"] == found["metadata"]["uid"]
        assert taken["status"]["lastPhaseTransitionTime"]
        await cluster.admin.delete(PERSISTENT_VOLUMES, "fits")
        await asyncio.sleep(5)
        assert (await cluster.get(PERSISTENT_VOLUMES, "fits", ""))["metadata"]["deletionTimestamp"]
        await cluster.admin.delete(PERSISTENT_VOLUME_CLAIMS, "data", "default")
        await gone(cluster, PERSISTENT_VOLUMES, "fits")

    simulate(test)


def test_a_volume_with_data_is_released_and_kept(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await volume(cluster, "v")
        await claim(cluster, "data")
        await bound(cluster, "data")
        await cluster.admin.delete(PERSISTENT_VOLUME_CLAIMS, "data", "default")
        await in_phase(cluster, "v", "Released")
        await claim(cluster, "data")
        await asyncio.sleep(20)
        assert (await cluster.get(PERSISTENT_VOLUME_CLAIMS, "data"))["status"]["phase"] == "Pending"
        patch = {"spec": {"claimRef": None}}
        await cluster.admin.patch(PERSISTENT_VOLUMES, "v", patch=patch)
        await bound(cluster, "data")

    simulate(test)


def test_many_claims_share_volumes_one_each(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        for number in range(10):
            await claim(cluster, f"c{number}")
        for number in range(7):
            await volume(cluster, f"v{number}")
        await asyncio.sleep(20)
        claims = [await cluster.get(PERSISTENT_VOLUME_CLAIMS, f"c{number}") for number in range(10)]
        got = [found["spec"]["volumeName"] for found in claims if found["status"]["phase"] == "Bound"]
        assert sorted(got) == [f"v{number}" for number in range(7)]

    simulate(test)


def test_chosen_selected_reserved_and_classed_volumes(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await volume(cluster, "red", labels={"colour": "red"})
        await volume(cluster, "reserved", claimRef={"namespace": "default", "name": "mine"})
        await volume(cluster, "gold", storageClassName="gold")
        await volume(cluster, "chosen", "5Gi", accessModes=["ReadWriteOnce", "ReadWriteMany"])
        await claim(cluster, "a", selector={"matchLabels": {"colour": "red"}})
        await claim(cluster, "mine")
        await claim(cluster, "b", storageClassName="gold")
        await claim(cluster, "c", volumeName="chosen", accessModes=["ReadWriteMany"])
        for name, expected in (("a", "red"), ("mine", "reserved"), ("b", "gold"), ("c", "chosen")):
            assert (await bound(cluster, name))["spec"]["volumeName"] == expected

    simulate(test)


def test_who_waits_says_for_what(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        body = {"provisioner": "example.com/disks", "volumeBindingMode": "Immediate"}
        await cluster.create(STORAGE_CLASSES, "disks", **body)
        await cluster.create(STORAGE_CLASSES, "late", **{**body, "volumeBindingMode": "WaitForFirstConsumer"})
        await claim(cluster, "a", storageClassName="disks")
        await claim(cluster, "b", storageClassName="late")
        await claim(cluster, "c")
        await volume(cluster, "v", storageClassName="late")

        async def reasons() -> Any:
            events = (await cluster.admin.list(EVENTS, "default")).items
            found = {e["involvedObject"]["name"]: e["reason"] for e in events}
            wanted = {"a": "ExternalProvisioning", "b": "WaitForFirstConsumer", "c": "FailedBinding"}
            return wanted.items() <= found.items()

        await cluster.until(reasons, 20)
        waiting = await cluster.get(PERSISTENT_VOLUME_CLAIMS, "a")
        name = "volume.kubernetes.io/storage-provisioner"
        assert waiting["metadata"]["annotations"][name] == "example.com/disks"
        ref = {"kind": "PersistentVolumeClaim", "namespace": "default", "name": "b"}
        await cluster.admin.patch(PERSISTENT_VOLUMES, "v", patch={"spec": {"claimRef": ref}})  # as the scheduler does
        await bound(cluster, "b")
        mark = {"storageclass.kubernetes.io/is-default-class": "true"}
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        await cluster.create(PERSISTENT_VOLUME_CLAIMS, "d", spec=spec)
        await cluster.create(STORAGE_CLASSES, "usual", **body, metadata={"annotations": mark})

        async def classed() -> Any:
            return (await cluster.get(PERSISTENT_VOLUME_CLAIMS, "d"))["spec"].get("storageClassName") == "usual"

        await cluster.until(classed, 20)

    simulate(test)


def test_a_claim_whose_volume_is_gone_is_lost(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await volume(cluster, "v")
        await claim(cluster, "data")
        await bound(cluster, "data")
        await cluster.admin.delete(PERSISTENT_VOLUMES, "v")
        await cluster.admin.patch(PERSISTENT_VOLUMES, "v", patch={"metadata": {"finalizers": None}})

        async def lost() -> Any:
            return (await cluster.get(PERSISTENT_VOLUME_CLAIMS, "data"))["status"]["phase"] == "Lost"

        await cluster.until(lost, 20)

    simulate(test)


def test_an_attributes_class_stays_while_a_claim_has_it(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.create(VOLUME_ATTRIBUTES_CLASSES, "fast", driverName="example.com", parameters={"iops": "9"})

        async def protected() -> Any:
            found = await cluster.get(VOLUME_ATTRIBUTES_CLASSES, "fast", "")
            return found["metadata"].get("finalizers") == ["kubernetes.io/vac-protection"]

        await cluster.until(protected, 5)
        await claim(cluster, "data", volumeAttributesClassName="fast")
        await asyncio.sleep(1)
        await cluster.admin.delete(VOLUME_ATTRIBUTES_CLASSES, "fast")
        await asyncio.sleep(5)
        assert await cluster.get(VOLUME_ATTRIBUTES_CLASSES, "fast", "") is not None
        await cluster.admin.delete(PERSISTENT_VOLUME_CLAIMS, "data", "default")
        await gone(cluster, VOLUME_ATTRIBUTES_CLASSES, "fast")

    simulate(test)


def test_a_pod_gets_the_claims_it_describes_and_takes_them_along(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await volume(cluster, "v")
        wanted = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "",
        }
        template = {"metadata": {"labels": {"a": "b"}}, "spec": wanted}
        volumes = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]
        spec = {"containers": [{"name": "c", "image": "v1"}], "volumes": volumes}
        pod = await cluster.create(PODS, "user", spec=spec)

        async def made() -> Any:
            return await cluster.get(PERSISTENT_VOLUME_CLAIMS, "user-scratch")

        found = await cluster.until(made, 5)
        assert found["metadata"]["labels"] == {"a": "b"}
        (owner,) = found["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"], owner["kind"]) == (pod["metadata"]["uid"], True, "Pod")
        assert (await bound(cluster, "user-scratch"))["spec"]["volumeName"] == "v"
        await cluster.admin.delete(PODS, "user", "default")
        await gone(cluster, PERSISTENT_VOLUME_CLAIMS, "user-scratch", 30)
        await in_phase(cluster, "v", "Released")

    simulate(test)


def test_a_claim_of_somebody_else_is_not_taken_for_a_pods_own(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await claim(cluster, "user-scratch")
        template = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
        volumes = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]
        await cluster.create(PODS, "user", spec={"containers": [{"name": "c", "image": "v1"}], "volumes": volumes})
        await asyncio.sleep(10)
        found = await cluster.get(PERSISTENT_VOLUME_CLAIMS, "user-scratch")
        assert "ownerReferences" not in found["metadata"]

    simulate(test)
