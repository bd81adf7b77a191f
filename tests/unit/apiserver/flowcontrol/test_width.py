"""Seats of a list."""

import pytest

from kybern.apiserver.flowcontrol.width import seats, watched


@pytest.mark.parametrize(("objects", "expected"), [(0, 1), (1, 1), (100, 1), (101, 2), (950, 10), (10_000, 10)])
def test_a_seat_for_each_hundred_objects(objects: int, expected: int) -> None:
    assert seats(objects) == expected


@pytest.mark.parametrize(
    ("watchers", "expected"), [(0, (1, 0.0)), (9, (1, 0.0)), (10, (1, 0.005)), (35, (4, 0.005)), (400, (10, 0.02))]
)
def test_a_write_keeps_seats_for_its_watchers(watchers: int, expected: tuple[int, float]) -> None:
    assert watched(watchers) == pytest.approx(expected)
