"""Field errors: what is wrong with one field of an object, in the words Kubernetes uses for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from kybern.kube.go_values import quoted


class ErrorType(StrEnum):
    """The machine-readable reason of a field error; its value appears in `details.causes[].reason`."""

    NOT_FOUND = "FieldValueNotFound"
    REQUIRED = "FieldValueRequired"
    DUPLICATE = "FieldValueDuplicate"
    INVALID = "FieldValueInvalid"
    NOT_SUPPORTED = "FieldValueNotSupported"
    FORBIDDEN = "FieldValueForbidden"
    TOO_LONG = "FieldValueTooLong"
    TOO_MANY = "FieldValueTooMany"
    INTERNAL = "InternalError"
    TYPE_INVALID = "FieldValueTypeInvalid"


_TITLES = {
    ErrorType.NOT_FOUND: "Not found",
    ErrorType.REQUIRED: "Required value",
    ErrorType.DUPLICATE: "Duplicate value",
    ErrorType.INVALID: "Invalid value",
    ErrorType.NOT_SUPPORTED: "Unsupported value",
    ErrorType.FORBIDDEN: "Forbidden",
    ErrorType.TOO_LONG: "Too long",
    ErrorType.TOO_MANY: "Too many",
    ErrorType.INTERNAL: "Internal error",
    ErrorType.TYPE_INVALID: "Invalid value",
}

OMITTED: Any = object()  # a bad value that the message leaves out
_WITHOUT_VALUE = {ErrorType.REQUIRED, ErrorType.FORBIDDEN, ErrorType.TOO_LONG, ErrorType.INTERNAL}


@dataclass(frozen=True)
class FieldError:
    """One problem at one field path, such as `spec.containers[0].image`."""

    type: ErrorType
    field: str
    bad_value: Any = None
    detail: str = ""

    @property
    def body(self) -> str:
        """The message without its path: `Invalid value: "x": must be ...`."""
        text = _TITLES[self.type]
        if self.type not in _WITHOUT_VALUE and self.bad_value is not OMITTED:
            text += ": " + _quote(self.bad_value)
        return f"{text}: {self.detail}" if self.detail else text

    def __str__(self) -> str:
        return f"{self.field}: {self.body}"

    def cause(self) -> dict[str, str]:
        """This error as an entry of `Status.details.causes`."""
        return {"reason": self.type.value, "message": self.body, "field": self.field}


class Struct(dict[str, Any]):
    """A bad value that upstream shows as its internal struct: Go's names, in the order of the struct."""


_ESCAPED = {ord(char): f"\\u00{ord(char):x}" for char in "<>&"}


def _quote(value: Any) -> str:
    if isinstance(value, str) and not value.isprintable():
        return quoted(value)
    shown = orjson.dumps(value, option=orjson.OPT_SORT_KEYS if type(value) is dict else 0).decode()
    if not isinstance(value, str):  # as Go writes JSON
        shown = shown.translate(_ESCAPED)
    return shown.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def required(path: str, detail: str = "") -> FieldError:
    return FieldError(ErrorType.REQUIRED, path, "", detail)


def invalid(path: str, value: Any, detail: str) -> FieldError:
    return FieldError(ErrorType.INVALID, path, value, detail)


def type_invalid(path: str, value: Any, detail: str) -> FieldError:
    return FieldError(ErrorType.TYPE_INVALID, path, value, detail)


def duplicate(path: str, value: Any) -> FieldError:
    return FieldError(ErrorType.DUPLICATE, path, value)


def not_found(path: str, value: Any, detail: str = "") -> FieldError:
    return FieldError(ErrorType.NOT_FOUND, path, value, detail)


def forbidden(path: str, detail: str) -> FieldError:
    return FieldError(ErrorType.FORBIDDEN, path, "", detail)


def internal(path: str, detail: str) -> FieldError:
    return FieldError(ErrorType.INTERNAL, path, "", detail)


def not_supported(path: str, value: Any, supported: Iterable[str], *, in_order: bool = False) -> FieldError:
    """The supported values are listed sorted, or `in_order` as they are given."""
    listed = ", ".join(f'"{item}"' for item in (supported if in_order else sorted(supported)))
    return FieldError(ErrorType.NOT_SUPPORTED, path, value, f"supported values: {listed}" if listed else "")


def too_long(path: str, limit: int) -> FieldError:
    return FieldError(ErrorType.TOO_LONG, path, "", f"may not be more than {limit} bytes")


def too_many(path: str, actual: int, limit: int) -> FieldError:
    noun = "item" if limit == 1 else "items"
    return FieldError(ErrorType.TOO_MANY, path, actual, f"must have at most {limit} {noun}")


def aggregate(errors: Iterable[FieldError]) -> str:
    """All errors in one line, equal ones once: `a`, or `[a, b]`."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
