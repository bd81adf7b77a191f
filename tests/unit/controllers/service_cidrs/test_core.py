"""Which address ranges may go."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kybern.controllers.service_cidrs.core import may_go, seconds_left


def cidr(name: str, *cidrs: str, deleting: bool = False) -> dict[str, Any]:
    metadata = {"name": name, **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {})}
    return {"metadata": metadata, "spec": {"cidrs": [*cidrs]}}


WIDE, NARROW = cidr("wide", "10.0.0.0/8"), cidr("narrow", "10.1.0.0/16", "fd00::/112")


@pytest.mark.parametrize(
    ("going", "others", "addresses", "expected"),
    [
        (NARROW, [], [], True),
        (NARROW, [], ["10.2.0.1"], True),
        (NARROW, [], ["10.1.0.1"], False),
        (NARROW, [], ["fd00::5"], False),
        (NARROW, [WIDE], ["10.1.0.1"], True),
        (NARROW, [cidr("wide", "10.0.0.0/8", deleting=True), cidr("six", "fd00::/64")], ["10.1.0.1", "fd00::5"], True),
        (NARROW, [cidr("same", "10.1.0.0/16")], ["10.1.0.1"], True),
        (NARROW, [], ["10.1.255.255", "10.1.0.0"], True),
        (WIDE, [NARROW], ["10.1.0.1", "10.2.0.1"], False),
    ],
)
def test_may_go(going: Any, others: Any, addresses: list[str], expected: bool) -> None:
    labels = {"ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}
    found = [{"metadata": {"name": address, "labels": labels}} for address in addresses]
    found.append({"metadata": {"name": "10.1.0.77"}})  # somebody's own, no Service's
    assert may_go(going, [going, *others], found) is expected


def test_allocators_have_time_to_hear_of_a_deletion() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert seconds_left(cidr("a", deleting=True), now + timedelta(seconds=4)) == 6
    assert seconds_left(cidr("a", deleting=True), now + timedelta(seconds=14)) < 0
