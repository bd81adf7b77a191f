"""Rule: the defaults of one definition; constants first, then functions that look at the rest of the object."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
Function = Callable[[Object], None]


@dataclass(frozen=True)
class Rule:
    """`constants` fill fields that are absent, null or empty text; with `zero_is_absent` also those that are 0."""

    constants: Mapping[str, Any] = field(default_factory=dict)
    functions: tuple[Function, ...] = ()
    zero_is_absent: bool = False


def rule(*functions: Function, zero_is_absent: bool = False, **constants: Any) -> Rule:
    return Rule(constants, functions, zero_is_absent)


Rules = dict[str, Rule]


def child(obj: Object, name: str) -> Object:
    """The object at `name`, made when it is not there."""
    value: Object = obj.setdefault(name, {})
    return value
