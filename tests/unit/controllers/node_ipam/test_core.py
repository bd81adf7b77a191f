"""Parts of the pod network against a dumb model."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.controllers.node_ipam.core import CIDRNotAvailable, CidrSet


@given(st.lists(st.one_of(st.none(), st.integers(0, 15)), max_size=60))
def test_no_two_overlap_and_none_is_lost(steps: list[int | None]) -> None:
    cidrs = CidrSet("10.244.0.0/20", 24)
    held: list[str] = []
    for step in steps:
        if step is None:
            if len(held) == 16:
                with pytest.raises(CIDRNotAvailable):
                    cidrs.allocate()
                continue
            new = cidrs.allocate()
            assert IPv4Network(new).subnet_of(IPv4Network("10.244.0.0/20"))
            assert not any(IPv4Network(new).overlaps(IPv4Network(other)) for other in held)
            held.append(new)
        elif held:
            cidrs.release(held.pop(step % len(held)))


def test_what_others_hold_is_left_out() -> None:
    cidrs = CidrSet("10.244.0.0/22", 24)
    cidrs.occupy("10.244.1.0/24")
    cidrs.occupy("10.244.2.128/25")
    cidrs.occupy("192.168.0.0/16")
    cidrs.occupy("fd00::/64")
    assert [cidrs.allocate(), cidrs.allocate()] == ["10.244.0.0/24", "10.244.3.0/24"]
    with pytest.raises(CIDRNotAvailable):
        cidrs.allocate()


def test_ipv6_and_masks_that_do_not_fit() -> None:
    assert CidrSet("fd00::/48", 64).allocate() == "fd00::/64"
    with pytest.raises(ValueError, match="does not fit"):
        CidrSet("10.0.0.0/16", 8)
