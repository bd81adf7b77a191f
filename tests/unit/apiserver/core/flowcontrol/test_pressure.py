"""How many seats are left to workloads while the event loop is behind."""

import pytest

from kybern.apiserver.core.flowcontrol.pressure import LEAST, next_share, pressed


def test_the_share_falls_fast_and_rises_slowly() -> None:
    share, falls = 1.0, 0
    while share > 0.1:
        share, falls = next_share(share, 0.2), falls + 1
    assert falls <= 11
    rises = 0
    while share < 1.0:
        share, rises = next_share(share, 0.0), rises + 1
    assert 30 <= rises <= 60


def test_it_has_bounds_and_rests_between() -> None:
    share = 1.0
    for _ in range(100):
        share = next_share(share, 10.0)
    assert share == LEAST
    assert next_share(0.5, 0.03) == 0.5
    assert next_share(1.0, 0.0) == 1.0


@pytest.mark.parametrize(
    ("level", "limit", "share", "expected"),
    [
        ("workload-low", 245, 0.5, 122),
        ("workload-low", 245, 0.02, 8),
        ("mine", 3, 0.02, 3),
        ("jail", 0, 0.02, 0),
        ("system", 74, 0.02, 74),
        ("workload-low", 245, 1.0, 245),
    ],
)
def test_seats(level: str, limit: int, share: float, expected: int) -> None:
    assert pressed(level, limit, share) == expected
