"""The sets library: lists as sets."""

from collections.abc import Sequence
from typing import Any

from kybern.kube.cel.overloads import Overload, plain
from kybern.kube.cel.values import contains

List = Sequence[Any]


def _within(items: List, others: List) -> bool:
    """Whether every element of `others` is in `items`."""
    try:
        if all(type(item) is str for item in items) and all(type(item) is str for item in others):
            return set(others) <= set(items)
    except TypeError:
        pass
    return all(contains(items, other) for other in others)


def _equivalent(items: List, others: List) -> bool:
    return _within(items, others) and _within(others, items)


def _intersects(items: List, others: List) -> bool:
    return any(contains(items, other) for other in others)


def _price(items: List, others: List) -> int:
    return len(items) * len(others)


OVERLOADS: list[Overload] = [
    plain("sets.contains", "list<A>, list<A> -> bool", _within, _price, False),
    plain("sets.equivalent", "list<A>, list<A> -> bool", _equivalent, lambda a, b: 2 * len(a) * len(b), False),
    plain("sets.intersects", "list<A>, list<A> -> bool", _intersects, _price, False),
]
