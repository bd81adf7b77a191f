"""The standard functions of CEL beyond the operators: sizes, conversions, tests of strings."""

import math
import re
from decimal import Decimal
from typing import Any

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.overloads import Overload, part, plain, walks
from kybern.kube.cel.overloads import member as member_function
from kybern.kube.cel.values import (
    INT_MAX,
    INT_MIN,
    UINT_MAX,
    Duration,
    Timestamp,
    TypeValue,
    UInt,
    show,
    type_name,
)

_INT, _DIGITS = re.compile(r"[+-]?[0-9]+"), "[0-9]+(?:_[0-9]+)*"
_FLOAT = re.compile(rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?[0-9]+)?")
_HEX = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+")
SECOND = 10**9


def _no_conversion(wanted: str) -> EvaluationError:
    return EvaluationError(f"type conversion error from 'string' to '{wanted}'")


def to_int(value: Any) -> int:
    """int(...). Raises EvaluationError."""
    if type(value) is str:
        if not _INT.fullmatch(value):
            raise _no_conversion("int")
        value = int(value)
        if not INT_MIN <= value <= INT_MAX:
            raise _no_conversion("int")
    elif type(value) is float:
        if not math.isfinite(value) or not INT_MIN < value < INT_MAX:
            raise EvaluationError("integer overflow")
        return int(value)
    elif type(value) is Timestamp:
        return value.nanos // SECOND
    elif type(value) is Duration:
        return value.nanos
    if not INT_MIN <= value <= INT_MAX:
        raise EvaluationError("integer overflow")
    return int(value)


def to_uint(value: Any) -> UInt:
    """uint(...). Raises EvaluationError."""
    if type(value) is str:
        if not re.fullmatch("[0-9]+", value):
            raise _no_conversion("uint")
        value = int(value)
        if value > UINT_MAX:
            raise _no_conversion("uint")
    if type(value) is float and not math.isfinite(value):
        raise EvaluationError("unsigned integer overflow")
    if not 0 <= value <= UINT_MAX:
        raise EvaluationError("unsigned integer overflow")
    return UInt(value)


def to_double(value: Any) -> float:
    """double(...). Raises EvaluationError."""
    if type(value) is str:
        if _HEX.fullmatch(value):
            return float.fromhex(value)
        if _FLOAT.fullmatch(value) and math.isfinite(float(value)):
            return float(value)
        if value.lower().lstrip("+-") in ("inf", "infinity") or value.lower() == "nan":
            return float(value)
        raise _no_conversion("double")
    return float(value)


def to_bool(value: Any) -> bool:
    """bool(...). Raises EvaluationError."""
    if value in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if value in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise _no_conversion("bool")


def float_text(value: float) -> str:
    """A double as Go's %g with the fewest digits prints it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    power = len(digits) + int(exponent) - 1 if value else 0
    if -4 <= power < 6:
        return f"{Decimal(repr(value)).normalize():f}"
    text = "".join(map(str, digits))
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{'-' if sign else ''}{text[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02d}"


def to_string(value: Any) -> str:
    """string(...). Raises EvaluationError."""
    if type(value) is bytes:
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None
    return float_text(value) if type(value) is float else show(value)


def _same(value: Any) -> Any:
    return value


def _contains_price(text: str, inner: str) -> int:
    return part(len(text)) * part(len(inner))


def _convert(name: str, result: str, convert: Any, *sources: str) -> list[Overload]:
    """string(...) is declared as a whole: the compiler's own knows nothing of Kubernetes' types."""
    return [
        plain(name, f"{source} -> {result}", convert, walks if source == "string" else None, name == "string")
        for source in sources
    ]


OVERLOADS: list[Overload] = [
    plain("size", "string -> int", len, declared=False),
    plain("size", "bytes -> int", len, declared=False),
    plain("size", "list<A> -> int", len, declared=False),
    plain("size", "map<A, B> -> int", len, declared=False),
    plain("type", "A -> type", lambda value: TypeValue(type_name(value)), declared=False),
    plain("dyn", "A -> dyn", _same, declared=False),
    *_convert("int", "int", to_int, "int", "uint", "double", "string", "timestamp", "duration"),
    *_convert("uint", "uint", to_uint, "uint", "int", "double", "string"),
    *_convert("double", "double", to_double, "double", "int", "uint", "string"),
    *_convert("bool", "bool", _same, "bool"),
    *_convert("bool", "bool", to_bool, "string"),
    *_convert("string", "string", to_string, "string", "bool", "int", "uint", "double", "bytes"),
    *_convert("bytes", "bytes", _same, "bytes"),
    *_convert("bytes", "bytes", str.encode, "string"),
    member_function("startsWith", "string, string -> bool", str.startswith, walks, False),
    member_function("endsWith", "string, string -> bool", str.endswith, walks, False),
    member_function("contains", "string, string -> bool", str.__contains__, _contains_price, False),
]
