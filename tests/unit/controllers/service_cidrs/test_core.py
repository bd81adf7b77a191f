"""Which address ranges may go."""

from typing import Any

import pytest

from kybern.controllers.service_cidrs.core import may_go


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
        (NARROW, [cidr("wide", "10.0.0.0/8", deleting=True)], ["10.1.0.1"], False),
        (WIDE, [NARROW], ["10.1.0.1", "10.2.0.1"], False),
    ],
)
def test_may_go(going: Any, others: Any, addresses: list[str], expected: bool) -> None:
    found = [{"metadata": {"name": address}} for address in addresses]
    assert may_go(going, [going, *others], found) is expected
