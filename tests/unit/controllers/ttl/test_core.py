"""Steps of cluster size."""

import pytest

from kybern.controllers.ttl.core import STEPS, next_step


@pytest.mark.parametrize(
    ("current", "nodes", "seconds"),
    [(0, 0, 0), (0, 100, 0), (0, 101, 15), (1, 95, 15), (1, 89, 0), (0, 5000, 300), (4, 1, 0), (2, 500, 30)],
)
def test_next_step(current: int, nodes: int, seconds: int) -> None:
    assert STEPS[next_step(current, nodes)].seconds == seconds
