"""Seats of a list."""

import pytest

from kybern.apiserver.flowcontrol.width import seats


@pytest.mark.parametrize(("objects", "expected"), [(0, 1), (1, 1), (100, 1), (101, 2), (950, 10), (10_000, 10)])
def test_a_seat_for_each_hundred_objects(objects: int, expected: int) -> None:
    assert seats(objects) == expected
