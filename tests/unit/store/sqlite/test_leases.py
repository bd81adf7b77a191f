"""Leases under given time."""

import pytest

from kybern.store.sqlite.leases import Leases


@pytest.fixture
def leases() -> Leases:
    """Two leases, granted at 100."""
    leases = Leases()
    leases.add(1, ttl=10, now=100)
    leases.add(2, ttl=20, now=100)
    return leases


def test_the_shortest_ends_first(leases: Leases) -> None:
    assert leases.next_deadline() == 110
    assert leases.expired(109.9) == []
    assert leases.expired(110) == [1]
    assert leases.expired(110) == []
    assert leases.expired(130) == [2]
    assert leases.next_deadline() is None


def test_renewal_moves_the_deadline(leases: Leases) -> None:
    assert leases.renew(1, now=109) == 10
    assert leases.expired(118) == []
    assert leases.next_deadline() == 119


def test_an_ending_lease_is_gone_unless_its_deletion_fails(leases: Leases) -> None:
    leases.attach(1, "/b")
    leases.attach(1, "/a")
    leases.end(1)
    assert 1 not in leases
    assert leases.next_deadline() == 120
    leases.retry_end(1, at=111)
    assert leases.expired(111) == [1]
    assert leases.candidates(1) == ["/a", "/b"]
    leases.end(1)
    leases.ended(1)
    assert 1 not in leases
    assert leases.expired(119) == []
