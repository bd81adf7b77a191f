"""Operators: arithmetic, order and equality, access to elements and fields; by the types of the values."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kybern.kube.cel.errors import EvaluationError, no_overload
from kybern.kube.cel.library.times import in_range, long
from kybern.kube.cel.overloads import part
from kybern.kube.cel.values import (
    INT_MIN,
    NONE,
    Duration,
    KeyedList,
    Opaque,
    Optional,
    Timestamp,
    UInt,
    contains,
    equal,
    integer,
    less,
    lookup,
    no_such_key,
    some,
    type_name,
    unsigned,
    weight,
)

Binary = Callable[[Any, Any], Any]
Key = tuple[type, type]


def _divide_int(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return integer(quotient if (left < 0) == (right < 0) else -quotient)


def _modulo_int(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("modulus by zero")
    if left == INT_MIN and right == -1:
        raise EvaluationError("integer overflow")
    return int(math.fmod(left, right)) if abs(left) < 1 << 52 and abs(right) < 1 << 52 else _remainder(left, right)


def _remainder(left: int, right: int) -> int:
    found = abs(left) % abs(right)
    return -found if left < 0 else found


def _divide_float(left: float, right: float) -> float:
    if right:
        return left / right
    return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)


def _divide_uint(left: int, right: int) -> UInt:
    if not right:
        raise EvaluationError("division by zero")
    return UInt(left // right)


def _modulo_uint(left: int, right: int) -> UInt:
    if not right:
        raise EvaluationError("modulus by zero")
    return UInt(left % right)


def _float(operate: Binary) -> Binary:
    def run(left: float, right: float) -> Any:
        try:
            return operate(left, right)
        except OverflowError:
            return math.inf

    return run


ADD: dict[Key, Binary] = {
    (int, int): lambda left, right: integer(left + right),
    (UInt, UInt): lambda left, right: unsigned(int(left) + int(right)),
    (float, float): lambda left, right: left + right,
    (str, str): lambda left, right: left + right,
    (bytes, bytes): lambda left, right: left + right,
    (list, list): lambda left, right: left + right,
    (Duration, Duration): lambda left, right: long(left.nanos + right.nanos),
    (Timestamp, Duration): lambda left, right: in_range(left.nanos + right.nanos, left.offset),
    (Duration, Timestamp): lambda left, right: in_range(left.nanos + right.nanos, right.offset),
}
SUBTRACT: dict[Key, Binary] = {
    (int, int): lambda left, right: integer(left - right),
    (UInt, UInt): lambda left, right: unsigned(int(left) - int(right)),
    (float, float): lambda left, right: left - right,
    (Duration, Duration): lambda left, right: long(left.nanos - right.nanos),
    (Timestamp, Timestamp): lambda left, right: long(left.nanos - right.nanos),
    (Timestamp, Duration): lambda left, right: in_range(left.nanos - right.nanos, left.offset),
}
MULTIPLY: dict[Key, Binary] = {
    (int, int): lambda left, right: integer(left * right),
    (UInt, UInt): lambda left, right: unsigned(int(left) * int(right)),
    (float, float): _float(lambda left, right: left * right),
}
DIVIDE: dict[Key, Binary] = {(int, int): _divide_int, (UInt, UInt): _divide_uint, (float, float): _divide_float}
MODULO: dict[Key, Binary] = {(int, int): _modulo_int, (UInt, UInt): _modulo_uint}
ARITHMETIC: dict[str, dict[Key, Binary]] = {
    "_+_": ADD, "_-_": SUBTRACT, "_*_": MULTIPLY, "_/_": DIVIDE, "_%_": MODULO
}  # fmt: skip
_SIZED = (str, bytes, list)


def arithmetic(function: str) -> Binary:
    """An arithmetic operator. Raises EvaluationError."""
    by_types = ARITHMETIC[function]

    def run(left: Any, right: Any) -> Any:
        operate = by_types.get((type(left), type(right)))
        if operate is None:
            if function == "_+_" and _is_list(left) and _is_list(right):
                return left.joined(right) if isinstance(left, KeyedList) else [*left, *right]
            raise no_overload() if any(type(left) is one for one, _ in by_types) else no_overload(function)
        return operate(left, right)

    return run


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def sum_price(left: Any, right: Any) -> int:
    """What `+` costs beyond a call: building a text or a list."""
    if type(left) in _SIZED and type(right) in _SIZED:
        size = len(left) + len(right)
        return part(size) if size > 10 else 0
    return 0


ORDER: dict[str, Binary] = {
    "_<_": lambda left, right: less(left, right, "_<_"),
    "_<=_": lambda left, right: not less(right, left, "_<=_") and not _unordered(left, right),
    "_>_": lambda left, right: less(right, left, "_>_"),
    "_>=_": lambda left, right: not less(left, right, "_>=_") and not _unordered(left, right),
}


def _unordered(left: Any, right: Any) -> bool:
    return bool(left != left or right != right)  # NaN


def comparison_price(left: Any, right: Any) -> int:
    """What comparing costs beyond a call: the shorter of two texts, or every element."""
    if type(left) is str and type(right) is str:
        size = min(len(left), len(right))
        return part(size) if size > 10 else 0
    return min(weight(left), weight(right)) if isinstance(left, (Mapping, Sequence)) else 0


def negate(value: Any) -> Any:
    """Unary minus. Raises EvaluationError."""
    if type(value) is int:
        return integer(-value)
    if type(value) is float:
        return -value
    if type(value) is Duration:
        return long(-value.nanos)
    raise no_overload()


def within(wanted: Any, items: Any) -> bool:
    """`wanted in items`. Raises EvaluationError."""
    if isinstance(items, (str, bytes)) or not isinstance(items, (Mapping, Sequence)):
        raise no_overload()
    return contains(items, wanted)


def index(value: Any, key: Any) -> Any:
    """`value[key]`. Raises EvaluationError."""
    if isinstance(value, Mapping):
        found, there = lookup(value, key)
        if there:
            return found
        raise no_such_key(key)
    if _is_list(value):
        at = _position(key)
        if 0 <= at < len(value):
            return value[at]
        raise EvaluationError(f"index out of bounds: {at}")
    if isinstance(value, Optional):
        return index_optional(value, key)
    if type(key) not in (str, int, UInt, float, bool):
        raise EvaluationError(f"invalid qualifier type: {_qualifier(key)}")
    raise no_such_key(key)


def _qualifier(key: Any) -> str:
    """The type of a key that is none, as Go calls it."""
    name = type_name(key).rpartition(".")[2]
    if isinstance(key, Opaque):
        return f"cel.{name}"
    return "*types.Optional" if isinstance(key, Optional) else f"types.{name.capitalize()}"


def _position(key: Any) -> int:
    if type(key) is int or type(key) is UInt:
        return int(key)
    if type(key) is float and key == int(key):
        return int(key)
    if type(key) is float:
        raise EvaluationError(f"unsupported index value {key:g} in list")
    raise EvaluationError(f"unsupported index type '{type_name(key)}' in list")


def select(value: Any, field: str) -> Any:
    """`value.field`. Raises EvaluationError."""
    if isinstance(value, Mapping):
        try:
            return value[field]
        except KeyError:
            raise no_such_key(field) from None
    if isinstance(value, Opaque):
        return value.member(field)
    if isinstance(value, Optional):
        return select_optional(value, field)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        raise EvaluationError("unsupported index type 'string' in list")
    raise no_such_key(field)


def has(value: Any, field: str) -> bool:
    """`has(value.field)`. Raises EvaluationError."""
    if isinstance(value, Mapping):
        return field in value
    if isinstance(value, Optional):
        return value.present and has(value.value, field)
    if isinstance(value, Opaque):
        return value.has(field)
    return False


def select_optional(value: Any, field: str) -> Optional:
    """`value.?field`. Raises EvaluationError."""
    if isinstance(value, Optional):
        if not value.present:
            return NONE
        value = value.value
    if value is None:
        return NONE
    return some(select(value, field)) if has(value, field) else NONE


def index_optional(value: Any, key: Any) -> Optional:
    """`value[?key]`. Raises EvaluationError."""
    if isinstance(value, Optional):
        if not value.present:
            return NONE
        value = value.value
    if isinstance(value, Mapping):
        found, there = lookup(value, key)
        return some(found) if there else NONE
    if _is_list(value):
        at = _position(key)
        return some(value[at]) if 0 <= at < len(value) else NONE
    raise no_overload("_[?_]", value, key)


def same(left: Any, right: Any) -> bool:
    """`==`."""
    return equal(left, right)
