"""Services in a cluster of two families."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from same import Both
from servers import PROGRAM, kube_apiserver, kybern

RANGES = "10.96.0.0/16,fd00:96::/108"
V4, V6 = "IPv4", "IPv6"
ONE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"
IP4, IP6 = "10.96.7.7", "fd00:96::7:7"
names = itertools.count(1)


@pytest.fixture(scope="module")
def two_families(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both servers with a range of each family."""
    if not PROGRAM.exists():
        pytest.skip("needs tests/compare/build.sh")
    folder = tmp_path_factory.mktemp("both")
    flag = f"--service-cluster-ip-range={RANGES}"
    with (
        kybern(folder / "kybern", service_cidr=RANGES) as ours,
        kube_apiserver(folder / "kube", ours.ca, flag) as theirs,
    ):
        yield Both(theirs, ours)


def service(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "Service", "apiVersion": "v1", "metadata": {"name": name}, "spec": spec}


def unused(value: Any, number: int) -> Any:
    """The value with addresses that no test has had: a kube-apiserver keeps some of what it refused for a while."""
    if isinstance(value, dict):
        return {name: unused(item, number) for name, item in value.items()}
    if isinstance(value, list):
        return [unused(item, number) for item in value]
    four, six = f"10.96.{number // 200}.{number % 200 + 50}", f"fd00:96::7:{number:x}"
    return {IP4: four, IP6: six}.get(value, value) if isinstance(value, str) else value


PORTS = {"ports": [{"port": 80}]}
POLICIES = (None, ONE, PREFER, REQUIRE)
FAMILIES = (None, [V4], [V6], [V4, V6], [V6, V4], ["IPv5"], [V4, V4])
ADDRESSES = (
    None,
    [""],
    ["None"],
    [IP4],
    [IP6],
    [IP4, IP6],
    [IP6, IP4],
    [IP4, "10.96.7.8"],
    ["192.0.2.1"],
    [IP4, "fd01::1"],
)


@pytest.mark.parametrize("selector", [{"a": "b"}, None], ids=["selector", "none"])
@pytest.mark.parametrize("kind", ["ClusterIP", "LoadBalancer", "ExternalName"])
def test_created(two_families: Both, kind: str, selector: dict[str, str] | None) -> None:
    found = []
    for policy, families, addresses in itertools.product(POLICIES, FAMILIES, ADDRESSES):
        if kind == "ExternalName" and families == ["IPv5"]:  # refused for two reasons by Kybern, for one by the other
            continue
        given = {"ipFamilyPolicy": policy, "ipFamilies": families, "clusterIPs": addresses, "selector": selector}
        given |= {"clusterIP": addresses[0]} if addresses else {}
        given |= {"externalName": "example.com"} if kind == "ExternalName" else {}
        spec = {"type": kind, **PORTS, **{name: value for name, value in given.items() if value is not None}}
        path = "/api/v1/namespaces/default/services"
        name = f"s{(number := next(names))}"
        different = two_families.diff("POST", path, service(name, unused(spec, number)))
        if different:
            found.append((policy, families, addresses, different))
        for server in (two_families.kube, two_families.kybern):
            server.ask("DELETE", f"{path}/{name}", None, {}, ("root", "system:masters"))
    assert not found, (len(found), found[:6])


STARTS: dict[str, dict[str, Any]] = {
    "one": {"ipFamilyPolicy": ONE, "clusterIP": IP4},
    "one of 6": {"ipFamilyPolicy": ONE, "clusterIP": IP6},
    "two": {"ipFamilyPolicy": REQUIRE, "clusterIP": IP4, "clusterIPs": [IP4, IP6]},
    "two, 6 first": {"ipFamilyPolicy": PREFER, "clusterIP": IP6, "clusterIPs": [IP6, IP4]},
    "headless": {"clusterIP": "None", "selector": {"a": "b"}},
    "headless two": {"clusterIP": "None", "selector": {"a": "b"}, "ipFamilyPolicy": REQUIRE},
    "external": {"type": "ExternalName", "externalName": "example.com"},
}
CHANGES: list[dict[str, Any]] = [
    {"ipFamilyPolicy": ONE},
    {"ipFamilyPolicy": PREFER},
    {"ipFamilyPolicy": REQUIRE},
    {"ipFamilyPolicy": None},
    {"ipFamilyPolicy": REQUIRE, "ipFamilies": [V4, V6]},
    {"ipFamilyPolicy": REQUIRE, "ipFamilies": [V6, V4]},
    {"ipFamilyPolicy": PREFER, "ipFamilies": [V4]},
    {"ipFamilies": [V4]},
    {"ipFamilies": [V6]},
    {"ipFamilies": [V4, V6]},
    {"ipFamilies": [V6, V4]},
    {"ipFamilies": None},
    {"clusterIPs": [IP4]},
    {"clusterIPs": None},
    {"clusterIPs": None, "clusterIP": None},
    {"clusterIPs": [IP4, IP6]},
    {"clusterIPs": [IP4, "fd00:96::9:9"]},
    {"clusterIPs": [IP4, "fd00:96::9:9"], "ipFamilyPolicy": REQUIRE},
    {"clusterIPs": [IP4], "ipFamilyPolicy": ONE},
    {"clusterIPs": [IP4], "ipFamilyPolicy": ONE, "ipFamilies": [V4]},
    {"clusterIPs": [IP4], "ipFamilies": [V4]},
    {"clusterIPs": [IP6], "clusterIP": IP6},
    {"type": "ExternalName", "externalName": "example.com"},
    {"type": "ExternalName", "externalName": "example.com", "clusterIP": None, "clusterIPs": None},
    {"type": "ExternalName", "externalName": "example.com", "clusterIPs": None},
    {"type": "ClusterIP", "externalName": None},
    {"type": "ClusterIP", "ipFamilyPolicy": REQUIRE},
    {"type": "NodePort", "ipFamilyPolicy": ONE},
    {"selector": None},
    {"selector": {"c": "d"}, "ipFamilyPolicy": PREFER},
]


@pytest.mark.parametrize("start", STARTS)
def test_changed(two_families: Both, start: str) -> None:
    path, found = "/api/v1/namespaces/default/services", []
    for change in CHANGES:
        name = f"s{(number := next(names))}"
        two_families.same("POST", path, service(name, unused({**PORTS, **STARTS[start]}, number)))
        merge = {"Content-Type": "application/merge-patch+json"}
        different = two_families.diff("PATCH", f"{path}/{name}", {"spec": unused(change, number)}, headers=merge)
        if different:
            found.append((change, different))
        for server in (two_families.kube, two_families.kybern):
            server.ask("DELETE", f"{path}/{name}", None, {}, ("root", "system:masters"))
    assert not found, (len(found), found[:6])
