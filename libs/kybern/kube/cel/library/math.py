"""The math library."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from kybern.kube.cel.errors import EvaluationError, no_overload
from kybern.kube.cel.overloads import Overload, plain
from kybern.kube.cel.values import INT_MIN, UINT_MAX, UInt, integer, less

_NUMBERS = (int, float, UInt)


def _numbers(name: str, values: Sequence[Any]) -> Sequence[Any]:
    if not values or any(type(value) not in _NUMBERS for value in values):
        raise no_overload(name, values)
    return values


def _greatest(*values: Any) -> Any:
    found = _numbers("math.@max", values[0] if len(values) == 1 and isinstance(values[0], Sequence) else values)
    best = found[0]
    for value in found[1:]:
        if less(best, value):
            best = value
    return best


def _least(*values: Any) -> Any:
    found = _numbers("math.@min", values[0] if len(values) == 1 and isinstance(values[0], Sequence) else values)
    best = found[0]
    for value in found[1:]:
        if less(value, best):
            best = value
    return best


def _abs(value: Any) -> Any:
    if type(value) is int and value == INT_MIN:
        raise EvaluationError("integer overflow")
    return abs(value) if type(value) is not UInt else value


def _sign(value: Any) -> Any:
    if type(value) is float and math.isnan(value):
        return value
    return type(value)((value > 0) - (value < 0))


def _rounded(step: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: float(step(value)) if math.isfinite(value) else value


def _away(value: float) -> float:
    return math.copysign(math.floor(abs(value) + 0.5), value)


def _shift(value: Any, by: int, left: bool) -> Any:
    if by < 0:
        raise EvaluationError(f"math.{'bitShiftLeft' if left else 'bitShiftRight'}() negative offset: {by}")
    if by >= 64:
        return type(value)(0)
    bits = int(value) & UINT_MAX
    bits = (bits << by) & UINT_MAX if left else bits >> by
    return UInt(bits) if type(value) is UInt else integer(bits - (1 << 64) if bits >= 1 << 63 else bits)


def _not(value: Any) -> Any:
    return UInt(~int(value) & UINT_MAX) if type(value) is UInt else ~value


def _bits(operate: Callable[[int, int], int]) -> Callable[[Any, Any], Any]:
    return lambda one, other: type(one)(operate(one, other))


def _both(name: str, operate: Callable[..., Any]) -> list[Overload]:
    return [plain(name, f"{kind}, {kind} -> {kind}", operate, None, False) for kind in ("int", "uint")]


def _shifts(name: str, operate: Callable[..., Any]) -> list[Overload]:
    return [plain(name, f"{kind}, int -> {kind}", operate, None, False) for kind in ("int", "uint")]


def _of(name: str, result: str, kinds: tuple[str, ...], operate: Callable[..., Any]) -> list[Overload]:
    return [plain(name, f"{kind} -> {result or kind}", operate, None, False) for kind in kinds]


def _pairs(name: str, operate: Callable[..., Any]) -> list[Overload]:
    found = [plain(name, "list<dyn> -> dyn", operate, None, False)]
    return [
        *found,
        plain(name, "dyn -> dyn", operate, None, False),
        plain(name, "dyn, dyn -> dyn", operate, None, False),
    ]


NUMBERS = ("int", "uint", "double")
OVERLOADS: list[Overload] = [
    *_pairs("math.@max", _greatest),
    *_pairs("math.@min", _least),
    *_of("math.abs", "", NUMBERS, _abs),
    *_of("math.sign", "", NUMBERS, _sign),
    *_of("math.ceil", "", ("double",), _rounded(math.ceil)),
    *_of("math.floor", "", ("double",), _rounded(math.floor)),
    *_of("math.round", "", ("double",), _rounded(_away)),
    *_of("math.trunc", "", ("double",), _rounded(math.trunc)),
    *_of("math.isInf", "bool", ("double",), math.isinf),
    *_of("math.isNaN", "bool", ("double",), math.isnan),
    *_of("math.isFinite", "bool", ("double",), math.isfinite),
    *_of("math.sqrt", "double", NUMBERS, lambda value: math.sqrt(value) if value >= 0 else math.nan),
    *_both("math.bitAnd", _bits(lambda one, other: one & other)),
    *_both("math.bitOr", _bits(lambda one, other: one | other)),
    *_both("math.bitXor", _bits(lambda one, other: one ^ other)),
    *_of("math.bitNot", "", ("int", "uint"), _not),
    *_shifts("math.bitShiftLeft", lambda one, by: _shift(one, by, True)),
    *_shifts("math.bitShiftRight", lambda one, by: _shift(one, by, False)),
]
