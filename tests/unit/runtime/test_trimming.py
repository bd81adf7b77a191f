"""When a burst is over."""

import pytest

from kybern.runtime.trimming import AGAIN, Bursts

SOME, NONE = 0.2, 0.0  # CPU seconds between two looks


@pytest.mark.parametrize(
    ("used", "given_back"),
    [
        pytest.param([NONE] * 8, [], id="idle"),
        pytest.param([0.04] * 8, [], id="a little all the time"),
        pytest.param([SOME] * 8, [], id="while it lasts"),
        pytest.param([SOME, NONE, NONE], [1], id="once it is over"),
        pytest.param([SOME, 0.05, NONE], [2], id="once it is quiet"),
        pytest.param([SOME] + [NONE] * 14, [1, AGAIN], id="and once more"),
        pytest.param([SOME, NONE, NONE, SOME, NONE], [1, 4], id="after each"),
    ],
)
def test_memory_is_given_back(used: list[float], given_back: list[int]) -> None:
    bursts, cpu, found = Bursts(7.0), 7.0, []
    for look, seconds in enumerate(used):
        cpu += seconds
        if bursts.over(cpu):
            found.append(look)
    assert found == given_back
