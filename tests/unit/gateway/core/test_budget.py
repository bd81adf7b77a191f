"""Traces are few however many writes there are, and none is missed when there are few."""

from kybern.gateway.core.budget import Budget


def test_a_burst_and_then_the_rate() -> None:
    budget = Budget(rate=10, burst=5)
    assert [budget.take(100.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert [budget.take(100.2) for _ in range(3)] == [True, True, False]
    flood = sum(budget.take(101 + i / 1000) for i in range(10_000))
    assert 100 <= flood <= 106


def test_slow_writers_are_always_traced() -> None:
    budget = Budget(rate=10, burst=1)
    assert all(budget.take(i * 0.1001) for i in range(100))
