"""Kubernetes' functions on lists, of comparable elements: isSorted, sum, min, max, indexOf, lastIndexOf."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from kybern.kube.cel.errors import EvaluationError, no_overload
from kybern.kube.cel.overloads import Overload, each, member, plain
from kybern.kube.cel.values import Duration, UInt, equal, integer, less, lookup, show, unsigned

List = Sequence[Any]


def _is_sorted(items: List) -> bool:
    return not any(less(after, before) for before, after in pairwise(items))


def _sum(items: List) -> Any:
    if not items:
        return 0
    first = type(items[0])
    if first not in (int, UInt, float, Duration) or any(type(item) is not first for item in items):
        raise no_overload("sum", items)
    if first is Duration:
        return Duration(integer(sum(item.nanos for item in items)))
    total = sum(items)
    return unsigned(total) if first is UInt else integer(total) if first is int else float(total)


def _least(items: List) -> Any:
    if not items:
        raise EvaluationError("min called on empty list")
    best = items[0]
    for item in items[1:]:
        if less(item, best):
            best = item
    return best


def _most(items: List) -> Any:
    if not items:
        raise EvaluationError("max called on empty list")
    best = items[0]
    for item in items[1:]:
        if less(best, item):
            best = item
    return best


def _index_of(items: List, wanted: Any) -> int:
    return next((at for at, item in enumerate(items) if equal(item, wanted)), -1)


def _last_index_of(items: List, wanted: Any) -> int:
    return next((at for at in range(len(items) - 1, -1, -1) if equal(items[at], wanted)), -1)


def _insert(mapping: dict[Any, Any], key: Any, value: Any) -> dict[Any, Any]:
    """What `transformMap` builds its result with: nobody else has that map."""
    if lookup(mapping, key)[1]:
        raise EvaluationError(f"insert failed: key '{show(key)}' already exists")
    mapping[key] = value
    return mapping


def _insert_all(mapping: dict[Any, Any], entries: Mapping[Any, Any]) -> dict[Any, Any]:
    for key, value in entries.items():
        _insert(mapping, key, value)
    return mapping


ORDERED = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")


def _for_each(name: str, result: str, implementation: Any, kinds: tuple[str, ...]) -> list[Overload]:
    """An overload per type of element, as the compiler sees it; one is enough to run it."""
    return [member(name, f"list<{kind}> -> {result or kind}", implementation, each) for kind in kinds]


OVERLOADS: list[Overload] = [
    *_for_each("isSorted", "bool", _is_sorted, ORDERED),
    *_for_each("sum", "", _sum, ("int", "uint", "double", "duration")),
    *_for_each("min", "", _least, ORDERED),
    *_for_each("max", "", _most, ORDERED),
    plain("cel.@mapInsert", "map<K, V>, K, V -> map<K, V>", _insert, None, False),
    plain("cel.@mapInsert", "map<K, V>, map<K, V> -> map<K, V>", _insert_all, None, False),
    member("indexOf", "list<A>, A -> int", _index_of, each),
    member("lastIndexOf", "list<A>, A -> int", _last_index_of, each),
]
