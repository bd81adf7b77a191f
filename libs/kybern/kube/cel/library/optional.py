"""Optional values: made of values, tested, opened. `or` and `orValue` look at their argument only when they need it."""

from collections.abc import Sequence
from typing import Any

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.overloads import Overload, each, member, plain
from kybern.kube.cel.values import NONE, Optional, some


def _of_non_zero(value: Any) -> Optional:
    return some(value) if value not in (None, "", b"", 0, False, [], {}) else NONE


def _value(optional: Optional) -> Any:
    if not optional.present:
        raise EvaluationError("optional.none() dereference")
    return optional.value


def _first(items: Any) -> Optional:
    return some(items[0]) if items else NONE


def _last(items: Any) -> Optional:
    return some(items[-1]) if items else NONE


def _unwrap(optionals: Sequence[Any]) -> list[Any]:
    return [one.value for one in optionals if one.present]


OVERLOADS: list[Overload] = [
    plain("optional.none", "-> optional_type<A>", lambda: NONE, None, False),
    plain("optional.unwrap", "list<optional_type<A>> -> list<A>", _unwrap, each),
    member("unwrapOpt", "list<optional_type<A>> -> list<A>", _unwrap, each),
    plain("optional.of", "A -> optional_type<A>", some, None, False),
    plain("optional.ofNonZeroValue", "A -> optional_type<A>", _of_non_zero, None, False),
    member("hasValue", "optional_type<A> -> bool", lambda optional: optional.present, None, False),
    member("value", "optional_type<A> -> A", _value, None, False),
    member("first", "list<A> -> optional_type<A>", _first, None, False),
    member("last", "list<A> -> optional_type<A>", _last, None, False),
]
