"""Completion indexes in their short form."""

from hypothesis import given
from hypothesis import strategies as st

from kybern.controllers.job.core.indexes import format_indexes, parse_indexes


@given(st.sets(st.integers(0, 60)))
def test_there_and_back(indexes: set[int]) -> None:
    assert parse_indexes(format_indexes(indexes)) == indexes


def test_form() -> None:
    assert format_indexes([5, 0, 2, 1, 7, 8]) == "0-2,5,7,8"
    assert format_indexes([]) == ""
