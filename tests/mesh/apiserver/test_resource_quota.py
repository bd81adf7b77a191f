"""ResourceQuota over the wire: what is refused, in which words, and what many writers at once cannot do."""

import asyncio
from typing import Any

import pytest

from kybern.client.objects import Client
from kybern.client.resources import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    RESOURCE_QUOTAS,
    SERVICES,
    Resource,
)
from kybern.kube.status import StatusError


async def refused(awaitable: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


def pod(name: str, requests: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "i", "resources": {"requests": requests or {}}}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [container], **spec}}


async def make_quota(
    admin: Client, hard: dict[str, str], used: dict[str, str] | None = None, name: str = "q", **spec: Any
) -> None:
    """A quota as it is once its controller has counted."""
    made = await admin.create(
        RESOURCE_QUOTAS, {"metadata": {"name": name, "namespace": "default"}, "spec": {"hard": hard, **spec}}
    )
    made["status"] = {"hard": hard, "used": used if used is not None else dict.fromkeys(hard, "0")}
    await admin.update_status(RESOURCE_QUOTAS, made)


async def used(admin: Client, name: str = "q") -> dict[str, str]:
    found: dict[str, str] = (await admin.get(RESOURCE_QUOTAS, name, "default"))["status"]["used"]
    return found


async def test_what_a_pod_uses_is_counted_and_bounded(admin: Client) -> None:
    await make_quota(admin, {"pods": "2", "requests.cpu": "1"})
    error = await refused(admin.create(PODS, pod("none")))
    assert error.code == 403
    assert error.message == 'pods "none" is forbidden: failed quota: q: must specify requests.cpu for: c'
    await admin.create(PODS, pod("a", {"cpu": "600m"}))
    assert await used(admin) == {"pods": "1", "requests.cpu": "600m"}
    error = await refused(admin.create(PODS, pod("b", {"cpu": "500m"})))
    assert error.message == (
        'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, '
        "limited: requests.cpu=1"
    )
    assert (await refused(admin.create(PODS, pod("a", {"cpu": "1m"})))).reason == "AlreadyExists"
    await admin.create(PODS, pod("c", {"cpu": "400m"}), dry_run=True)
    assert await used(admin) == {"pods": "1", "requests.cpu": "600m"}
    await admin.create(PODS, pod("c", {"cpu": "400m"}))
    assert await used(admin) == {"pods": "2", "requests.cpu": "1"}
    taken = await refused(admin.create(PODS, pod("a", {"cpu": "1m"})))
    assert (taken.code, taken.reason) == (403, "Forbidden")  # there is no room for it, whether it is there or not
    managers = (await admin.get(RESOURCE_QUOTAS, "q", "default"))["metadata"]["managedFields"]
    mine = next(entry for entry in managers if entry["manager"] == "kube-apiserver")
    assert mine["fieldsV1"] == {"f:status": {"f:used": {"f:pods": {}, "f:requests.cpu": {}}}}


async def test_a_quota_that_has_not_been_counted_limits_nothing(admin: Client) -> None:
    spec = {"hard": {"count/configmaps": "0"}}
    await admin.create(RESOURCE_QUOTAS, {"metadata": {"name": "q", "namespace": "default"}, "spec": spec})
    await admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}})


async def test_many_at_once_never_exceed_a_quota(admin: Client, cluster: Any) -> None:
    await make_quota(admin, {"count/configmaps": "10", "configmaps": "10"})

    async def attempt(number: int) -> bool:
        async with cluster.client() as client:
            try:
                await client.create(CONFIG_MAPS, {"metadata": {"name": f"c{number}", "namespace": "default"}})
            except StatusError as error:
                if "exceeded quota: q, requested: configmaps=1,count/configmaps=1" not in error.message:
                    raise
                return False
        return True

    made = await asyncio.gather(*(attempt(number) for number in range(50)))
    assert sum(made) == 10
    assert await used(admin) == {"count/configmaps": "10", "configmaps": "10"}
    assert len((await admin.list(CONFIG_MAPS, "default")).items) == 10


async def test_a_controller_that_counted_too_little_opens_no_gap(admin: Client, cluster: Any) -> None:
    await make_quota(admin, {"count/configmaps": "10"})
    stop = asyncio.Event()

    async def undercount() -> None:
        while not stop.is_set():
            quota = await admin.get(RESOURCE_QUOTAS, "q", "default")
            quota["status"]["used"] = {"count/configmaps": "0"}
            try:
                await admin.update_status(RESOURCE_QUOTAS, quota)
            except StatusError as error:
                if error.reason != "Conflict":
                    raise
            await asyncio.sleep(0)

    async def attempt(number: int) -> bool:
        try:
            await admin.create(CONFIG_MAPS, {"metadata": {"name": f"c{number}", "namespace": "default"}})
        except StatusError as error:
            return error.reason not in ("Forbidden", "Conflict")
        return True

    liar = asyncio.create_task(undercount())
    made = await asyncio.gather(*(attempt(number) for number in range(50)))
    stop.set()
    await liar
    assert sum(made) == 10
    await admin.delete(CONFIG_MAPS, (await admin.list(CONFIG_MAPS, "default")).items[0]["metadata"]["name"], "default")
    quota = await admin.get(RESOURCE_QUOTAS, "q", "default")
    quota["status"]["used"] = {"count/configmaps": "9"}
    await admin.update_status(RESOURCE_QUOTAS, quota)
    await admin.create(CONFIG_MAPS, {"metadata": {"name": "again", "namespace": "default"}})


async def test_services_are_charged_for_what_an_update_adds(admin: Client) -> None:
    hard = {"services": "3", "services.nodeports": "1", "services.loadbalancers": "0"}
    await make_quota(admin, hard, {"services": "1", "services.nodeports": "0", "services.loadbalancers": "0"})
    port = {"port": 80, "protocol": "TCP"}
    metadata = {"name": "s", "namespace": "default"}
    made = await admin.create(SERVICES, {"metadata": metadata, "spec": {"ports": [port]}})
    made["spec"]["type"] = "NodePort"
    made = await admin.update(SERVICES, made)
    assert await used(admin) == {"services": "2", "services.nodeports": "1", "services.loadbalancers": "0"}
    made["spec"]["type"] = "LoadBalancer"
    error = await refused(admin.update(SERVICES, made))
    assert "requested: services.loadbalancers=1, used: services.loadbalancers=0" in error.message
    second = {"metadata": {**metadata, "name": "t"}, "spec": {"type": "NodePort", "ports": [port]}}
    assert "requested: services.nodeports=1" in (await refused(admin.create(SERVICES, second))).message


async def test_storage_is_counted_per_class(admin: Client) -> None:
    gold = "gold.storageclass.storage.k8s.io/requests.storage"
    await make_quota(admin, {"requests.storage": "10Gi", gold: "3Gi"})

    def claim(name: str, size: str, storage_class: str) -> dict[str, Any]:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        return {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {**spec, "storageClassName": storage_class},
        }

    await admin.create(PERSISTENT_VOLUME_CLAIMS, claim("a", "2Gi", "gold"))
    assert (
        f"requested: {gold}=2Gi"
        in (await refused(admin.create(PERSISTENT_VOLUME_CLAIMS, claim("b", "2Gi", "gold")))).message
    )
    await admin.create(PERSISTENT_VOLUME_CLAIMS, claim("c", "2Gi", "tin"))
    assert await used(admin) == {"requests.storage": "4Gi", gold: "2Gi"}


async def test_scopes_choose_the_pods(admin: Client) -> None:
    await make_quota(admin, {"pods": "1"}, name="short", scopes=["Terminating"])
    await make_quota(admin, {"pods": "1"}, name="long", scopes=["NotTerminating"])
    await admin.create(PODS, pod("a", activeDeadlineSeconds=10))
    assert (await used(admin, "short"), await used(admin, "long")) == ({"pods": "1"}, {"pods": "0"})
    assert "exceeded quota: short" in (await refused(admin.create(PODS, pod("b", activeDeadlineSeconds=10)))).message
    await admin.create(PODS, pod("c"))
    assert await used(admin, "long") == {"pods": "1"}
    error = await refused(admin.patch(PODS, "c", "default", patch={"spec": {"activeDeadlineSeconds": 10}}))
    assert "exceeded quota: short" in error.message
    await admin.patch(PODS, "c", "default", patch={"metadata": {"labels": {"a": "b"}}})


async def test_custom_resources_are_counted(admin: Client) -> None:
    await make_quota(admin, {"count/crontabs.example.com": "1"})
    schema = {"openAPIV3Schema": {"type": "object"}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    names = {"plural": "crontabs", "singular": "crontab", "kind": "CronTab"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    await admin.create(CUSTOM_RESOURCE_DEFINITIONS, {"metadata": {"name": "crontabs.example.com"}, "spec": spec})
    crontabs = Resource("example.com", "v1", "crontabs", "CronTab")
    async with asyncio.timeout(5):
        while True:
            try:
                await admin.create(crontabs, {"metadata": {"name": "a", "namespace": "default"}})
                break
            except StatusError as error:
                if error.code != 404:
                    raise
                await asyncio.sleep(0.01)
    error = await refused(admin.create(crontabs, {"metadata": {"name": "b", "namespace": "default"}}))
    assert error.message == (
        'crontabs.example.com "b" is forbidden: exceeded quota: q, requested: count/crontabs.example.com=1, '
        "used: count/crontabs.example.com=1, limited: count/crontabs.example.com=1"
    )
