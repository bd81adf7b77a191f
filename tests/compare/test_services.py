"""Services: types and the ways between them, addresses and families, ports, and what is warned of."""

import itertools
import json
from typing import Any

import pytest
from same import Both

PORTS: list[dict[str, Any]] = [{"port": 80}]
SELECTOR = {"a": "b"}
OUT: dict[str, Any] = {"type": "ExternalName", "externalName": "a.b"}
LB: dict[str, Any] = {"ports": PORTS, "type": "LoadBalancer"}
TWO = [{"port": 80, "name": "a"}, {"port": 80, "protocol": "UDP", "name": "b"}]

STATES: dict[str, dict[str, Any]] = {
    "cluster IP": {"ports": PORTS, "selector": SELECTOR},
    "affinity": {"ports": PORTS, "sessionAffinity": "ClientIP"},
    "external IPs": {"ports": PORTS, "externalIPs": ["1.2.3.4"]},
    "prefers dual stack": {"ports": PORTS, "ipFamilyPolicy": "PreferDualStack"},
    "node port": {"ports": PORTS, "type": "NodePort"},
    "two node ports": {"ports": TWO, "type": "NodePort"},
    "load balancer": LB,
    "load balancer without node ports": {**LB, "allocateLoadBalancerNodePorts": False},
    "local load balancer": {**LB, "externalTrafficPolicy": "Local"},
    "load balancer of a class": {**LB, "externalTrafficPolicy": "Local", "loadBalancerClass": "a/b"},
    "external name": OUT,
    "headless": {"clusterIP": "None", "selector": SELECTOR},
    "headless without selector": {"clusterIP": "None"},
}
PANICS = {("prefers dual stack", "headless without selector")}  # of kube-apiserver 1.36 itself

SPECS: list[dict[str, Any]] = [
    {"externalIPs": [address]}
    for address in ("x", "010.0.0.1", "fd00::0001", "127.0.0.1", "224.0.0.1", "169.254.1.1", "0.0.0.0", "")
] + [
    {**LB, "loadBalancerSourceRanges": [cidr]} for cidr in ("010.0.0.0/8", "10.1.0.0/8", " 10.0.0.0/8", "10.0.0.1", "x")
] + [
    {**LB, "loadBalancerIP": "01.2.3.4"},
    {**LB, "loadBalancerClass": "internal"},
    {**LB, "loadBalancerClass": ""},
    {**LB, "ports": [{"port": 10250}]},
    {**LB, "externalTrafficPolicy": "Local", "healthCheckNodePort": 30100},
    {**LB, "externalTrafficPolicy": "Local", "healthCheckNodePort": 1},
    {"externalIPs": ["1.2.3.4"], "clusterIP": "None"},
    {"clusterIPs": ["None"]},
    {"clusterIP": "None", "clusterIPs": ["None", "None"]},
    {"clusterIP": "10.96.3.3", "clusterIPs": ["10.96.3.3", "fd00::1"]},
    {"clusterIP": "10.96.3.3", "clusterIPs": ["10.96.3.3", "10.96.3.4"]},
    {"clusterIP": "10.96.3.3", "clusterIPs": ["10.96.3.3", "fd00::1", "fd00::2"]},
    {"clusterIP": "fd00::1"},
    {"clusterIP": "x"},
    {"clusterIP": "10.200.0.1"},
    {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30001}, {"port": 81, "nodePort": 30001}]},
    {"type": "NodePort", "ports": [{"port": 80, "nodePort": 1}]},
    {"ports": [{}, {}]},
    {"ports": [{"port": 80, "nodePort": 30007}]},
    {"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]},
    {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]},
    {"ports": [{"port": 80, "targetPort": "a--b"}]},
    {"ports": [{"port": 80, "appProtocol": ""}]},
    {"ports": []},
    {"type": "ExternalName"},
    {"type": "ExternalName", "externalName": "1.2.3.4"},
    {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}}},
    {"sessionAffinity": "None", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 1}}},
    {"sessionAffinity": "ClientIP", "clusterIP": "None"},
    {"trafficDistribution": "PreferClose"},
    {"trafficDistribution": "x"},
    {"internalTrafficPolicy": ""},
    {"externalTrafficPolicy": "x"},
    {"ipFamilies": ["x", "x"]},
    {**OUT, "internalTrafficPolicy": "Local"},
    {**OUT, "internalTrafficPolicy": "x"},
    {"externalIPs": ["1.2.3.4"], "externalName": "a.b"},
    {"type": "", "loadBalancerClass": "a/b", "externalTrafficPolicy": "Local"},
]  # fmt: skip


@pytest.mark.parametrize("begin", STATES)
def test_from_type_to_type(both: Both, namespace: str, begin: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/services"
    for number, (end, spec) in enumerate(STATES.items()):
        if (begin, end) in PANICS:
            continue
        name = f"s{number}"
        both.same("POST", path, {"metadata": {"name": name}, "spec": STATES[begin]})
        both.same("PUT", f"{path}/{name}", {"metadata": {"name": name}, "spec": spec})
        both.same("PATCH", f"{path}/{name}?dryRun=All", {"spec": {"publishNotReadyAddresses": True}})
        both.same("DELETE", f"{path}/{name}")


def test_families(both: Both, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/services"
    families = (None, ["IPv4"], ["IPv6"], ["IPv4", "IPv6"])
    policies = (None, "SingleStack", "PreferDualStack", "RequireDualStack", "")
    kinds: tuple[dict[str, Any], ...] = ({}, {"clusterIP": "None"}, {"type": "NodePort", "clusterIP": "None"}, OUT)
    for number, chosen in enumerate(itertools.product(kinds, families, policies, (SELECTOR, None))):
        members = dict(zip(("ipFamilies", "ipFamilyPolicy", "selector"), chosen[1:], strict=True))
        spec = {"ports": PORTS, **chosen[0], **{key: value for key, value in members.items() if value is not None}}
        pair = both.same("POST", path, {"metadata": {"name": f"s{number}"}, "spec": spec})
        if pair.kube.status == 201:
            both.ask("DELETE", f"{path}/s{number}")


@pytest.mark.parametrize("given", SPECS, ids=json.dumps)
def test_create(both: Both, namespace: str, given: dict[str, Any]) -> None:
    path, spec = f"/api/v1/namespaces/{namespace}/services", {"ports": PORTS, **given}
    pair = both.same("POST", path, {"metadata": {"name": "s"}, "spec": spec})
    if pair.kube.status == 201:
        both.ask("DELETE", f"{path}/s")


@pytest.mark.parametrize(
    "change",
    [
        {"clusterIP": "None"},
        {"clusterIP": "10.96.1.1"},
        {"clusterIPs": ["10.96.1.1"]},
        {"clusterIP": "10.96.1.1", "clusterIPs": ["10.96.1.1"]},
        {"clusterIP": None},
        {"clusterIP": ""},
        {"clusterIPs": None},
    ],
)
def test_addresses_patched(both: Both, namespace: str, change: dict[str, Any]) -> None:
    path = f"/api/v1/namespaces/{namespace}/services"
    both.same("POST", path, {"metadata": {"name": "patched"}, "spec": {"ports": [{"port": 80}]}})
    pair = both.ask("PATCH", f"{path}/patched", {"spec": change})
    assert pair.kybern.status == pair.kube.status
    assert pair.kybern.document.get("message") == pair.kube.document.get("message")


@pytest.mark.parametrize(
    "change",
    [
        {"externalTrafficPolicy": ""},
        {"externalTrafficPolicy": "x"},
        {"healthCheckNodePort": 1},
        {"healthCheckNodePort": -1},
        {"healthCheckNodePort": 70000},
        {"ports": [{"port": 80, "nodePort": 1}]},
    ],
)
def test_local_load_balancer_patched(both: Both, namespace: str, change: dict[str, Any]) -> None:
    path = f"/api/v1/namespaces/{namespace}/services"
    both.same("POST", path, {"metadata": {"name": "local"}, "spec": {**LB, "externalTrafficPolicy": "Local"}})
    both.same("PATCH", f"{path}/local?dryRun=All", {"spec": change})
    both.same("PATCH", f"{path}/local", {"spec": change})
    both.same("DELETE", f"{path}/local")
