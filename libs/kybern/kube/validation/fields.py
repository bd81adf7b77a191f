"""Shared steps of validation: turn format problems into field errors, and compare what must not change."""

from collections.abc import Iterable, Iterator
from typing import Any

from kybern.kube import intstr, quantity
from kybern.kube.field import FieldError, forbidden, invalid, not_supported, required
from kybern.kube.validation.names import Check, min_error, percent, port_name, port_number, range_error

Object = dict[str, Any]
Errors = Iterator[FieldError]

IMMUTABLE = "field is immutable"


def items(obj: Object, name: str) -> list[Any]:
    """The list at `name`, empty when absent; null items read as empty objects."""
    return [{} if item is None else item for item in obj.get(name) or ()]


def child(obj: Object, name: str) -> Object:
    """The object at `name`, or an empty one that is not attached."""
    value: Object = obj.get(name) or {}
    return value


def text(value: str, path: str, *checks: Check) -> Errors:
    """Every problem of a text value as an Invalid error."""
    for check in checks:
        for problem in check(value):
            yield invalid(path, value, problem)


def required_text(obj: Object, name: str, path: str, *checks: Check, detail: str = "") -> Errors:
    """Required when absent or empty, else checked."""
    value = obj.get(name)
    if not value:
        yield required(f"{path}.{name}", detail)
    else:
        yield from text(value, f"{path}.{name}", *checks)


def one_of(
    obj: Object, name: str, path: str, supported: Iterable[str], *, must: bool = False, in_order: bool = False
) -> Errors:
    value = obj.get(name)
    if not value:
        if must:
            yield required(f"{path}.{name}")
    elif value not in supported:
        yield not_supported(f"{path}.{name}", value, supported, in_order=in_order)


def chosen(obj: Object, name: str, path: str, supported: Iterable[str]) -> Errors:
    """As `one_of`, for what may be absent but not empty."""
    value = obj.get(name)
    if value is not None and value not in supported:
        yield not_supported(f"{path}.{name}", value, supported)


def non_negative(obj: Object, name: str, path: str) -> Errors:
    value = obj.get(name)
    if value is not None and value < 0:
        yield invalid(f"{path}.{name}", value, min_error(0))


def count_or_percent(value: Any, path: str, *, at_most_all: bool = False) -> Errors:
    """A number of pods that is not negative, or a percentage."""
    if isinstance(value, int):
        if value < 0:
            yield invalid(path, value, min_error(0))
        return
    problems = percent(value)
    for problem in problems:
        yield invalid(path, value, problem)
    if not problems and at_most_all and intstr.percent(value) > 100:
        yield invalid(path, value, "must not be greater than 100%")


def in_range(obj: Object, name: str, path: str, low: int, high: int) -> Errors:
    value = obj.get(name)
    if value is not None and not low <= value <= high:
        yield invalid(f"{path}.{name}", value, range_error(low, high))


def port_number_or_name(value: Any, path: str) -> Errors:
    problems = port_name(value) if isinstance(value, str) else port_number(value)
    for problem in problems:
        yield invalid(path, value, problem)


def immutable(new: Any, old: Any, path: str, detail: str = IMMUTABLE) -> Errors:
    if not same(new, old, path.rpartition(".")[2]):
        yield invalid(path, new, detail)


def immutable_forbidden(new: Any, old: Any, path: str, detail: str) -> Errors:
    if not same(new, old, path.rpartition(".")[2]):
        yield forbidden(path, detail)


_TEXTS_BY_KEY = frozenset(
    {
        *("annotations", "attributes", "binaryData", "data", "labels", "matchLabels", "nodeSelector", "parameters"),
        "volumeAttributes",
    }
)


def same(new: Any, old: Any, name: str = "") -> bool:
    """Equal the way upstream compares objects: an absent field, null and an empty collection are the same.

    `name` is that of the member; where it is a map, a key with an empty text is not the same as no key.
    """
    if new == old:
        return True
    if isinstance(new, dict) and isinstance(old, dict):
        if name in _TEXTS_BY_KEY and new.keys() != old.keys():
            return False
        return all(same(new.get(key), old.get(key), key) for key in new.keys() | old.keys())
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(map(same, new, old))
    return not new and not old and _empty(new) and _empty(old)


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {} or value is False or (value == 0)


def resource_amount(value: Any, path: str) -> Errors:
    """A quantity that must not be negative."""
    if quantity.parse(value).nanos < 0:
        yield invalid(path, value, min_error(0))
