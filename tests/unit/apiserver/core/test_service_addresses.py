"""Cluster IPs of several ServiceCIDRs."""

from random import Random
from typing import Any

import pytest

from kybern.apiserver.core.allocator import AllocationError
from kybern.apiserver.core.service_addresses import ServiceAddresses

DEFAULT = "10.0.0.0/29"  # six addresses


def cidr(name: str, *cidrs: str, ready: str = "True", **metadata: Any) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": ready}]} if ready else {}
    return {"metadata": {"name": name, **metadata}, "spec": {"cidrs": [*cidrs]}, "status": status}


OWN = cidr("kubernetes", DEFAULT)


def test_the_second_range_is_used_when_the_first_is_full() -> None:
    addresses, random = ServiceAddresses(DEFAULT), Random(1)
    addresses.configure([cidr("more", "fd00::/112", "10.9.0.0/30"), OWN])
    given = [addresses.next(random) for _ in range(8)]
    assert all(one.startswith("10.0.0.") for one in given[:6])
    assert sorted(given[6:]) == ["10.9.0.1", "10.9.0.2"]
    with pytest.raises(AllocationError, match="range is full"):
        addresses.next(random)
    addresses.release("10.0.0.3")
    assert addresses.next(random) == "10.0.0.3"


@pytest.mark.parametrize(
    ("cidrs", "address", "error"),
    [
        ([OWN, cidr("more", "10.9.0.0/24")], "10.9.0.7", None),
        ([OWN, cidr("more", "10.9.0.0/24", ready="")], "10.9.0.7", None),
        ([OWN, cidr("more", "10.9.0.0/24", ready="False")], "10.9.0.7", "does not match"),
        ([OWN, cidr("more", "10.9.0.0/24", deletionTimestamp="2026-01-01T00:00:00Z")], "10.9.0.7", "does not match"),
        ([OWN, cidr("more", "10.9.0.0/24")], "10.9.0.0", "does not match"),
        ([OWN, cidr("more", "10.9.0.0/24")], "10.9.0.255", "does not match"),
        ([OWN, cidr("wide", "10.9.0.0/16"), cidr("more", "10.9.0.0/24")], "10.9.0.255", None),
        ([], "10.0.0.2", None),
        ([cidr("kubernetes", DEFAULT, ready="False")], "10.0.0.2", "does not match"),
        ([cidr("kubernetes", DEFAULT, ready="False"), cidr("b", DEFAULT)], "10.0.0.2", None),
        ([OWN], "fd00::1", "does not match"),
    ],
)
def test_an_address_by_name(cidrs: list[Any], address: str, error: str | None) -> None:
    addresses = ServiceAddresses(DEFAULT)
    addresses.configure(cidrs)
    if error is not None:
        with pytest.raises(AllocationError, match=error):
            addresses.take(address)
        return
    addresses.take(address)
    with pytest.raises(AllocationError, match="provided IP is already allocated"):
        addresses.take(address)


def test_overlapping_ranges_know_of_each_other() -> None:
    addresses = ServiceAddresses(DEFAULT)
    addresses.configure([OWN, cidr("a", "10.9.0.0/29"), cidr("b", "10.9.0.0/30")])
    given = {addresses.next(Random(1)) for _ in range(12)}
    assert len(given) == 12
