"""Functions on lists: Kubernetes' (isSorted, sum, min, max, indexOf, lastIndexOf), and those of CEL's list library."""

from collections.abc import Mapping, Sequence
from functools import cmp_to_key
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
        if lookup(mapping, key)[1]:
            raise EvaluationError(f"insert failed: key {show(key)} already exists")
        mapping[key] = value
    return mapping


def _flatten(items: List, depth: int = 1) -> List:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    found: list[Any] = []
    for item in items:
        if depth and isinstance(item, Sequence) and not isinstance(item, (str, bytes)):
            found += _flatten(item, depth - 1)
        else:
            found.append(item)
    return found


def _distinct(items: List) -> List:
    found: list[Any] = []
    for item in items:
        if not any(equal(item, one) for one in found):
            found.append(item)
    return found


def _slice(items: List, start: int, end: int) -> List:
    if start < 0 or end < 0:
        raise EvaluationError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvaluationError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if end > len(items):
        raise EvaluationError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return list(items[start:end])


def _sort(items: List) -> List:
    return _sorted_by(items, items)


def _sorted_by(items: List, by: List) -> List:
    """The items in the order of the keys beside them; equal ones stay as they are."""
    if any(type(key) is not type(by[0]) for key in by):
        raise EvaluationError("list elements must have the same type")

    def order(left: int, right: int) -> int:
        return -1 if less(by[left], by[right]) else 1 if less(by[right], by[left]) else 0

    return [items[at] for at in sorted(range(len(items)), key=cmp_to_key(order))]


def _range(count: int) -> List:
    if count > LONGEST_RANGE:
        raise EvaluationError(f"lists.range size {count} exceeds limit {LONGEST_RANGE}")
    return list(range(count))


LONGEST_RANGE = 1_000_000
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
    member("flatten", "list<A> -> list<B>", _flatten, each, False),
    member("flatten", "list<A>, int -> list<B>", _flatten, each, False),
    member("distinct", "list<A> -> list<A>", _distinct, each, False),
    member("reverse", "list<A> -> list<A>", lambda items: list(reversed(items)), each, False),
    member("slice", "list<A>, int, int -> list<A>", _slice, each, False),
    member("sort", "list<A> -> list<A>", _sort, each, False),
    member("@sortByAssociatedKeys", "list<A>, list<B> -> list<A>", _sorted_by, each, False),
    plain("lists.range", "int -> list<int>", _range, lambda count: max(count, 0), False),
]
