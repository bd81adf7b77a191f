"""How fast recommendations are followed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.controllers.podautoscaler.core.behavior import Change, History, normalize

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ago(seconds: float, replicas: int) -> Change:
    return Change(NOW - timedelta(seconds=seconds), replicas)


def policy(kind: str, value: int, period: int) -> dict[str, Any]:
    return {"type": kind, "value": value, "periodSeconds": period}


NO_WAIT = {"stabilizationWindowSeconds": 0}


@pytest.mark.parametrize(
    ("behavior", "history", "current", "wanted", "expected", "reason"),
    [
        pytest.param(None, History(), 2, 3, 3, "DesiredWithinRange", id="within"),
        pytest.param(None, History(), 2, 50, 4, "ScaleUpLimit", id="four at least"),
        pytest.param(None, History(), 5, 50, 10, "ScaleUpLimit", id="twice as many at most"),
        pytest.param(None, History(), 15, 50, 20, "TooManyReplicas", id="most"),
        pytest.param(None, History(), 3, 0, 2, "TooFewReplicas", id="least"),
        pytest.param(None, History([ago(200, 8)]), 9, 3, 8, "DesiredWithinRange", id="stabilized on the way down"),
        pytest.param(None, History([ago(200, 5)]), 3, 4, 5, "DesiredWithinRange", id="and up, without rules"),
        pytest.param(None, History([ago(301, 8)]), 9, 3, 3, "DesiredWithinRange", id="not for ever"),
        pytest.param(
            {"scaleUp": {"stabilizationWindowSeconds": 60}},
            History([ago(30, 4)]), 3, 9, 4, "DesiredWithinRange", id="stabilized on the way up",
        ),
        pytest.param(
            {"scaleUp": {"stabilizationWindowSeconds": 60}},
            History([ago(30, 4)]), 6, 9, 6, "DesiredWithinRange", id="the way up never leads down",
        ),
        pytest.param(
            {"scaleUp": {"policies": [policy("Pods", 2, 60)]}}, History(ups=[ago(30, 3)], downs=[ago(20, 2)]),
            5, 9, 6, "ScaleUpLimit", id="counted from when the period began",
        ),
        pytest.param(
            {"scaleUp": {"policies": [policy("Pods", 2, 60)]}}, History(ups=[ago(30, 1)]),
            5, 9, 6, "ScaleUpLimit", id="so many pods a minute",
        ),
        pytest.param(
            {"scaleUp": {"policies": [policy("Percent", 10, 60)]}}, History(), 5, 9, 6, "ScaleUpLimit", id="rounded up"
        ),
        pytest.param(
            {"scaleUp": {"selectPolicy": "Disabled"}}, History(), 5, 9, 5, "ScaleUpLimit", id="no more at all"
        ),
        pytest.param(
            {"scaleUp": {"selectPolicy": "Min", "policies": [policy("Pods", 1, 60), policy("Percent", 100, 60)]}},
            History(), 5, 20, 6, "ScaleUpLimit", id="the slower policy",
        ),
        pytest.param(
            {"scaleDown": {**NO_WAIT, "policies": [policy("Pods", 3, 60)]}}, History(downs=[ago(10, 1)]),
            9, 2, 7, "ScaleDownLimit", id="so few at a time",
        ),
        pytest.param(
            {"scaleDown": {**NO_WAIT, "policies": [policy("Percent", 50, 60)]}}, History(), 9, 2, 4, "ScaleDownLimit",
            id="rounded down",
        ),
        pytest.param(
            {"scaleDown": {**NO_WAIT, "selectPolicy": "Disabled"}}, History(), 9, 2, 9, "ScaleDownLimit", id="no fewer"
        ),
        pytest.param({"scaleDown": NO_WAIT}, History(), 9, 1, 2, "TooFewReplicas", id="default policies"),
    ],
)  # fmt: skip
def test_normalize(behavior: Any, history: History, current: int, wanted: int, expected: int, reason: str) -> None:
    spec = {"maxReplicas": 20, **({"behavior": behavior} if behavior is not None else {})}
    decided = normalize(spec, history, current, wanted, 2, NOW)
    assert (decided.replicas, decided.limit[0]) == (expected, reason)


def test_recommendations_are_remembered_for_a_while() -> None:
    history = History()
    normalize({"maxReplicas": 9}, history, 2, 3, 1, NOW)
    assert history.recommendations == [Change(NOW, 3)]
    history.scaled(2, 3, NOW)
    history.scaled(3, 1, NOW)
    assert (history.ups, history.downs) == ([Change(NOW, 1)], [Change(NOW, 2)])
    history.forget(NOW + timedelta(hours=2))
    assert history == History()


@given(st.integers(1, 50), st.integers(0, 100), st.lists(st.integers(0, 100), max_size=5), st.booleans())
def test_never_outside_the_bounds(current: int, wanted: int, recent: list[int], rules: bool) -> None:
    spec: dict[str, Any] = {"maxReplicas": 50, **({"behavior": {"scaleUp": {}}} if rules else {})}
    decided = normalize(spec, History([ago(10, n) for n in recent]), current, wanted, 1, NOW)
    assert 1 <= decided.replicas <= 50
