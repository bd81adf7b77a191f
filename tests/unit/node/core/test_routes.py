"""Routes to the pods of neighbours."""

from ipaddress import IPv4Interface
from typing import Any

import pytest

from kybern.node.core.routes import RouteChange, Routes, compute_routes, diff_routes

LOCAL = [IPv4Interface("127.0.0.1/8"), IPv4Interface("192.0.2.2/24"), IPv4Interface("10.245.0.1/24")]


def node(name: str, address: str, cidr: str = "") -> dict[str, Any]:
    addresses = [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}]
    spec = {"podCIDR": cidr, "podCIDRs": [cidr]} if cidr else {}
    return {"metadata": {"name": name}, "spec": spec, "status": {"addresses": addresses}}


@pytest.mark.parametrize(
    ("other", "routes"),
    [
        (node("me", "10.245.0.9", "10.244.9.0/24"), {}),
        (node("neighbour", "10.245.0.2", "10.244.1.0/24"), {"10.244.1.0/24": "10.245.0.2"}),
        (node("on-the-other-link", "192.0.2.7", "10.244.2.0/24"), {"10.244.2.0/24": "192.0.2.7"}),
        (node("without-a-range", "10.245.0.2"), {}),
        (node("elsewhere", "198.51.100.1", "10.244.3.0/24"), {}),
        (node("simulated", "127.0.0.1", "10.244.4.0/24"), {}),
        (node("with-our-address", "192.0.2.2", "10.244.5.0/24"), {}),
        (node("ipv6", "fd00::2", "10.244.6.0/24"), {}),
        (node("ipv6-range", "10.245.0.2", "fd01::/64"), {}),
        ({"metadata": {"name": "new"}}, {}),
    ],
)
def test_route_to(other: dict[str, Any], routes: Routes) -> None:
    assert compute_routes([node("me", "192.0.2.2", "10.244.0.0/24"), other], "me", LOCAL) == routes


def test_difference() -> None:
    old = {"a": "1", "b": "2", "c": "3"}
    assert diff_routes(old, {"a": "1", "b": "9", "d": "4"}) == RouteChange({"b": "9", "d": "4"}, ("c",))
    assert diff_routes(old, old) == RouteChange({}, ())
