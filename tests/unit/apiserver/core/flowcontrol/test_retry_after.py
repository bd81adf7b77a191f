"""How long refused clients are told to wait."""

import pytest

from kybern.apiserver.core.flowcontrol.retry_after import Refusals

START = 1000


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        pytest.param([1, 1, 1], [1, 1, 1], id="one a second"),
        pytest.param([3, 1], [1, 2], id="three in the second before"),
        pytest.param([3, 9, 1], [1, 2, 2], id="doubled once within its time"),
        pytest.param([3, 3, 3, 3, 3, 3, 1], [1, 2, 2, 4, 4, 4, 4], id="again when its time is over"),
        pytest.param([3, 3, 3, 9, 9, 9, 9, 1], [1, 2, 2, 4, 4, 4, 4, 8], id="and again"),
        pytest.param([3, 0, 0, 0, 1], [1, None, None, None, 1], id="shorter when it is quiet"),
        pytest.param([100] * 70, None, id="never longer than half a minute"),
    ],
)
def test_times(refused: list[int], told: list[int | None] | None) -> None:
    refusals, found = Refusals(), []
    for second, count in enumerate(refused, START):
        answers = {refusals.record(second) for _ in range(count)}
        assert len(answers) <= 1  # it changes between seconds alone
        found.append(answers.pop() if answers else None)
    if told is None:
        assert found[-1] == 32
    else:
        assert found == told
