"""Values of CEL in Python: plain ones where Python has them, small classes where it does not.

null None, bool, int, double float, string str, bytes, list, map dict; UInt, Timestamp, Duration (both in nanoseconds),
Optional and TypeValue are here. Values of Kubernetes' libraries (quantities, addresses, ...) are `Opaque`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kybern.kube.cel.errors import EvaluationError, no_overload

INT_MIN, INT_MAX, UINT_MAX = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1


class UInt(int):
    """An unsigned integer."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time in nanoseconds."""

    nanos: int


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A moment: nanoseconds since 1970, UTC; `offset` are the seconds by which it is shown later."""

    nanos: int
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class TypeValue:
    """A type as a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Optional:
    """A value that may be absent."""

    value: Any = None
    present: bool = False


NONE = Optional()


def some(value: Any) -> Optional:
    return Optional(value, True)


class Opaque:
    """A value that only functions of its own library understand. Subclasses are compared by `==`."""

    __slots__ = ()
    type_name: ClassVar[str] = ""

    def member(self, name: str) -> Any:
        """The value of a field. Raises EvaluationError."""
        raise no_such_key(name)

    def has(self, name: str) -> bool:
        """Whether it has a field. Raises EvaluationError."""
        return False


class KeyedList(list[Any], ABC):
    """A list whose elements are known by something else than their place: order does not count, `+` merges."""

    @abstractmethod
    def equals(self, other: Sequence[Any]) -> bool:
        """Whether both have the same elements."""

    @abstractmethod
    def joined(self, other: Sequence[Any]) -> "KeyedList":
        """This list with the elements of another: those it has already take their place."""


_NAMES: dict[type, str] = {
    type(None): "null_type", bool: "bool", int: "int", UInt: "uint", float: "double", str: "string", bytes: "bytes",
    list: "list", tuple: "list", dict: "map", Duration: "google.protobuf.Duration",
    Timestamp: "google.protobuf.Timestamp", TypeValue: "type", Optional: "optional_type",
}  # fmt: skip


def type_name(value: Any) -> str:
    """The name of a value's type."""
    found = _NAMES.get(type(value))
    if found is not None:
        return found
    if isinstance(value, Opaque):
        return value.type_name
    if isinstance(value, Mapping):
        return getattr(value, "name", "map")  # messages have names
    return "list" if isinstance(value, Sequence) else type(value).__name__


def no_such_key(key: Any) -> EvaluationError:
    return EvaluationError(f"no such key: {show(key)}")


def show(value: Any) -> str:
    """A value as messages show it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


_PLAIN = frozenset({str, int, bool, float, bytes, type(None), UInt})
_NUMBERS = frozenset({int, float, UInt})


def equal(left: Any, right: Any) -> bool:
    """Equality: numbers by value across their types, lists and maps by their elements, others only within a type."""
    one, other = type(left), type(right)
    if one is other:
        if one in _PLAIN:
            return bool(left == right)
    elif one in _NUMBERS and other in _NUMBERS:
        return bool(left == right)
    if isinstance(left, Mapping):
        return isinstance(right, Mapping) and _equal_maps(left, right)
    if isinstance(left, (list, tuple, Sequence)) and one is not str and one is not bytes:
        return _equal_lists(left, right)
    if one is Optional and other is Optional:
        return left.present == right.present and (not left.present or equal(left.value, right.value))
    if one is not other and right is not None and isinstance(left, Opaque):
        raise EvaluationError("no such overload")
    return one is other and bool(left == right)


def _equal_lists(left: Sequence[Any], right: Any) -> bool:
    if isinstance(right, (str, bytes)) or not isinstance(right, Sequence):
        return False
    if isinstance(left, KeyedList):
        return left.equals(right)
    if isinstance(right, KeyedList):
        return right.equals(left)
    return len(left) == len(right) and all(map(equal, left, right))


def _equal_maps(left: Mapping[Any, Any], right: Mapping[Any, Any]) -> bool:
    if len(left) != len(right):
        return False
    for key, value in left.items():
        found, there = lookup(right, key)
        if not there or not equal(value, found):
            return False
    return True


def lookup(mapping: Mapping[Any, Any], key: Any) -> tuple[Any, bool]:
    """(value, whether it is there). A bool is no number here, unlike in Python."""
    try:
        found = mapping[key]
    except (KeyError, TypeError):
        return None, False
    if type(key) is not str and isinstance(key, (bool, int, float)):
        at = next((one for one in mapping if one == key and isinstance(one, bool) == isinstance(key, bool)), None)
        if at is None:
            return None, False
    return found, True


def contains(items: Iterable[Any], wanted: Any) -> bool:
    """Whether a list has an element, or a map a key."""
    if isinstance(items, Mapping):
        return lookup(items, wanted)[1]
    return any(equal(item, wanted) for item in items)


def less(left: Any, right: Any, function: str = "_<_") -> bool:
    """Order within numbers, strings, bytes, bools, times and durations. Raises EvaluationError."""
    one, other = type(left), type(right)
    if one is other:
        if one in _ORDERED:
            return bool(left < right)
        if isinstance(left, Opaque) and hasattr(left, "__lt__"):
            return bool(left < right)
    elif one in _NUMBERS and other in _NUMBERS:
        return bool(left < right)
    receiver = other if function in _TURNED else one
    raise no_overload() if receiver in _ORDERED else no_overload(function)


_TURNED = frozenset({"_<=_", "_>_"})  # operators that ask whether the second is less than the first
_ORDERED = frozenset({str, int, bool, float, bytes, UInt, Timestamp, Duration})


def integer(value: int) -> int:
    """An int in range. Raises EvaluationError."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


def unsigned(value: int) -> UInt:
    """A uint in range. Raises EvaluationError."""
    if 0 <= value <= UINT_MAX:
        return UInt(value)
    raise EvaluationError("unsigned integer overflow")


def weight(value: Any) -> int:
    """About how much there is to compare in a value."""
    if isinstance(value, (str, bytes)):
        return -(-len(value) // 10)
    if isinstance(value, Mapping):
        return 1 + sum(1 + weight(item) for item in value.values())
    if isinstance(value, Sequence):
        return 1 + sum(map(weight, value))
    return 1
