"""IntOrString: a count, or a percentage of a total rounded up or down as the field's rule says."""

from __future__ import annotations

import re

IntOrString = int | str
_PERCENT = re.compile(r"[0-9]+%")


class IntOrStringError(ValueError):
    """A string that is not a percentage; the message is upstream's."""


def is_percent(value: IntOrString) -> bool:
    return isinstance(value, str) and _PERCENT.fullmatch(value) is not None


def percent(value: str) -> int:
    """The number of a percentage; one beyond any use counts as 10^18."""
    digits = value[:-1].lstrip("0")
    return int(digits or 0) if len(digits) <= 18 else 10**18


def scaled_value(value: IntOrString, total: int, *, round_up: bool) -> int:
    """The count `value` stands for out of `total` (upstream's GetScaledValueFromIntOrPercent)."""
    if isinstance(value, int):
        return value
    if not is_percent(value):
        reason = "string is not a percentage" if not value.endswith("%") else f'"{value}" is not a percentage'
        raise IntOrStringError(f"invalid value for IntOrString: invalid type: {reason}")
    part = percent(value) * total
    return -(-part // 100) if round_up else part // 100
