"""Services of two families, in a cluster whose flag names two ranges; and what keeps the ranges' objects."""

import asyncio
from typing import Any

import pytest

from kybern.apiserver.bootstrap import run as bootstrap
from kybern.client.resources import ENDPOINT_SLICES, NAMESPACES, SERVICE_CIDRS, SERVICES
from kybern.kube.status import StatusError

RANGES = "10.96.0.0/16,fd00:96::/108"
REQUIRE, PREFER, SINGLE = "RequireDualStack", "PreferDualStack", "SingleStack"


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}}


def families_of(addresses: list[str]) -> list[str]:
    return ["IPv6" if address.startswith("fd00:96::") else "IPv4" for address in addresses]


@pytest.mark.parametrize(
    ("spec", "families", "policy"),
    [
        ({}, ["IPv4"], SINGLE),
        ({"ipFamilies": ["IPv6"]}, ["IPv6"], SINGLE),
        ({"clusterIP": "fd00:96::7"}, ["IPv6"], SINGLE),
        ({"ipFamilyPolicy": PREFER}, ["IPv4", "IPv6"], PREFER),
        ({"ipFamilyPolicy": REQUIRE, "ipFamilies": ["IPv6"]}, ["IPv6", "IPv4"], REQUIRE),
        (
            {"ipFamilyPolicy": REQUIRE, "clusterIP": "fd00:96::7", "clusterIPs": ["fd00:96::7", "10.96.0.7"]},
            ["IPv6", "IPv4"],
            REQUIRE,
        ),
    ],
)
async def test_addresses_of_each_family(running: Any, spec: dict[str, Any], families: list[str], policy: str) -> None:
    async with running(service_cidr=RANGES) as cluster, cluster.client() as admin:
        made = (await admin.create(SERVICES, service("a", **spec)))["spec"]
        assert (made["ipFamilies"], made["ipFamilyPolicy"]) == (families, policy)
        assert families_of(made["clusterIPs"]) == families
        assert made["clusterIP"] == made["clusterIPs"][0]
        assert set(made["clusterIPs"]) <= cluster.server.addresses.taken


async def test_a_second_family_comes_and_goes(running: Any) -> None:
    async with running(service_cidr=RANGES) as cluster, cluster.client() as admin:
        made = await admin.create(SERVICES, service("a"))
        both = await admin.update(SERVICES, {**made, "spec": {**made["spec"], "ipFamilyPolicy": REQUIRE}})
        first, second = both["spec"]["clusterIPs"]
        assert (first, both["spec"]["ipFamilies"]) == (made["spec"]["clusterIP"], ["IPv4", "IPv6"])
        less = {**both, "spec": {**both["spec"], "clusterIPs": [first]}}
        with pytest.raises(StatusError, match="must be 'SingleStack' to release the secondary cluster IP"):
            await admin.update(SERVICES, less)
        other = {**both, "spec": {**both["spec"], "clusterIPs": [first, "fd00:96::99"]}}
        with pytest.raises(StatusError, match=r"spec.clusterIPs\[1\].*may not change once set"):
            await admin.update(SERVICES, other)
        one = await admin.update(SERVICES, {**both, "spec": {**both["spec"], "ipFamilyPolicy": SINGLE}})
        assert (one["spec"]["clusterIPs"], one["spec"]["ipFamilies"]) == ([first], ["IPv4"])
        assert second not in cluster.server.addresses.taken


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("10.96.0.0/24", "10.96.0.0/24,fd00:96::/112", "10.96.0.0/24,fd00:96::/112"),
        ("10.96.0.0/24,fd00:96::/112", "fd00:96::/112,10.96.0.0/24", "10.96.0.0/24,fd00:96::/112"),
        ("10.96.0.0/24,fd00:96::/112", "10.96.0.0/24", "10.96.0.0/24,fd00:96::/112"),
        ("10.96.0.0/24", "fd00:96::/112", "10.96.0.0/24"),
    ],
)
async def test_other_flags(running: Any, tmp_path: Any, before: str, after: str, kept: str) -> None:
    async with running(tmp_path / "db", service_cidr=before):
        pass
    host = "[fd00::1]" if after.startswith("fd") else "192.0.2.2"
    advertise = f"{host.strip('[]')}:6443"
    async with running(tmp_path / "db", service_cidr=after, advertise=advertise) as cluster, cluster.client() as admin:
        assert (await admin.get(SERVICE_CIDRS, "kubernetes"))["spec"]["cidrs"] == kept.split(",")
        found = await admin.get(ENDPOINT_SLICES, "kubernetes", "default")
        assert found["addressType"] == ("IPv6" if after.startswith("fd") else "IPv4")


async def test_what_every_cluster_has_is_made_again(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "KEEP_EVERY", 0.05)
    async with running() as cluster, cluster.client() as admin:
        await admin.delete(SERVICES, "kubernetes", "default")
        async with asyncio.timeout(10):
            while True:
                try:
                    found = await admin.get(SERVICES, "kubernetes", "default")
                    break
                except StatusError:
                    await asyncio.sleep(0.02)
        assert found["spec"]["clusterIPs"] == ["10.96.0.1"]
        assert await admin.get(NAMESPACES, "default")


@pytest.mark.parametrize("flag", ["10.96.0.0/16,10.97.0.0/16", "10.96.0.0/16,fd00::/108,fd01::/108", "10.96.0.0/16,"])
async def test_ranges_that_are_none(running: Any, flag: str) -> None:
    with pytest.raises(Exception, match="service-cluster-ip-range"):
        async with running(service_cidr=flag):
            pass


async def test_an_address_leaves_with_the_service(running: Any) -> None:
    """To become an ExternalName, it may name the one address and leave out the list."""
    async with running(service_cidr=RANGES) as cluster, cluster.client() as admin:
        for name, spec in (("a", {"clusterIP": "None"}), ("b", {"ipFamilyPolicy": REQUIRE})):
            made = await admin.create(SERVICES, service(name, selector={"a": "b"}, **spec))
            given = {"clusterIP": made["spec"]["clusterIP"], "type": "ExternalName", "externalName": "example.com"}
            left = await admin.update(SERVICES, {**made, "spec": {"ports": [{"port": 80}], **given}})
            assert left["spec"].keys().isdisjoint({"clusterIP", "clusterIPs", "ipFamilies"})
            assert not cluster.server.addresses.taken & set(made["spec"]["clusterIPs"]) - {"None"}
