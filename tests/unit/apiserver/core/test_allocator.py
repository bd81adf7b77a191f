"""Allocators hand out every value once."""

from random import Random

import pytest

from kybern.apiserver.core.allocator import AllocationError, IPAllocator, PortAllocator


@pytest.mark.parametrize(("cidr", "usable"), [("10.0.0.0/28", 14), ("10.0.0.0/24", 254), ("fd00::/120", 255)])
def test_every_address_once(cidr: str, usable: int) -> None:
    addresses, random = IPAllocator.of(cidr), Random(3)
    given = {addresses.next(random) for _ in range(usable)}
    assert len(given) == usable
    assert str(addresses.network[0]) not in given
    with pytest.raises(AllocationError, match="range is full"):
        addresses.next(random)
    one = given.pop()
    addresses.release(one)
    assert addresses.next(random) == one


def test_the_lower_part_is_left_to_people() -> None:
    addresses = IPAllocator.of("10.96.0.0/16")
    assert addresses.first() == "10.96.0.1"
    assert all(int(addresses.next(Random(n)).split(".")[2]) >= 1 for n in range(50))


def test_ports() -> None:
    ports = PortAllocator(30000, 30002)
    ports.take("TCP", 30000)
    for protocol in ("TCP", "UDP"):  # a number is one Service's
        with pytest.raises(AllocationError, match="already allocated"):
            ports.take(protocol, 30000)
    assert [ports.share("UDP", 30000), ports.share("UDP", 30000)] == [True, False]
    with pytest.raises(AllocationError, match="valid ports is 30000-30002"):
        ports.take("TCP", 80)
    assert {ports.next("TCP", Random(1)), ports.next("UDP", Random(1))} == {30001, 30002}
    with pytest.raises(AllocationError, match="range is full"):
        ports.next("TCP", Random(1))
