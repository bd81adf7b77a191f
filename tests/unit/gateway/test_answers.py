"""Answers: warnings that are too long together."""

import pytest

from kybern.gateway.answers import warning_headers

# (how many, how long), and what is left of them
LENGTHS = [((10, 100), [100] * 10), ((20, 200), [200] * 20), ((21, 200), [200] * 21), ((30, 300), [256] * 16)]
LENGTHS += [((2, 3000), [256, 256]), ((40, 110), [110] * 38), ((0, 0), [])]


@pytest.mark.parametrize(("given", "kept"), LENGTHS, ids=[str(given) for given, _ in LENGTHS])
def test_long_warnings_are_cut(given: tuple[int, int], kept: list[int]) -> None:
    count, length = given
    found = warning_headers(["x" * length] * count)
    assert [len(text) - len('299 - ""') for _, text in found] == kept
