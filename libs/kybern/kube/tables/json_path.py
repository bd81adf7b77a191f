"""JSON paths of printer columns: `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`, `.spec.ports[0]`.

What additionalPrinterColumns use: members, elements, slices, unions, filters, `..`. A path that leads nowhere gives an
empty cell.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from kybern.kube.go_float import go_float
from kybern.kube.meta import Object
from kybern.kube.tables.cells import INVALID, since

_MEMBER = re.compile(r"\.(?P<name>(?:\\.|[^.\[\]\\|$@(){}\s])+)")
_SLICE = re.compile(r"\s*(-?\d{0,9})\s*(?::\s*(-?\d{0,9})\s*)?(?::\s*(-?\d{0,9})\s*)?", re.ASCII)
_FILTER = re.compile(
    r"\?\(\s*@(?P<left>(?:[^=<>!'\"]|\['[^']*'\])*?)\s*(?:(?P<is>==|!=|<=|>=|<|>)\s*(?P<right>.+?))?\s*\)", re.DOTALL
)
_QUOTED = re.compile(r"'((?:\\.|[^'\\])*)'|\"((?:\\.|[^\"\\])*)\"")
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One step: to a member, to elements, to those that pass a test, to everything below."""

    kind: str  # member, slice, filter, every, below, union
    name: str = ""
    bounds: tuple[int | None, int | None, int | None] = (None, None, None)
    path: tuple[Step, ...] = ()  # of a filter: what is compared
    test: str = ""
    wanted: Any = None
    either: tuple[Step, ...] = ()  # of a union


@lru_cache(maxsize=1024)
def steps(path: str) -> tuple[Step, ...]:
    """The path as steps. Raises ValueError for one that is none."""
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    if text and text[0] not in ".[":
        text = f".{text}"
    found: list[Step] = []
    at = 0
    while at < len(text):
        if text.startswith("..", at):
            found.append(Step("below"))
            at += 1
        if text[at] == "[" or text.startswith(".[", at):
            start = at + 1 + (text[at] == ".")
            end = _closing(text, start)
            found.append(_bracket(text[start:end], path))
            at = end + 1
            continue
        match = _MEMBER.match(text, at)
        if match is None:
            if text[at:] == "." and found:  # nothing follows the last dot
                break
            raise ValueError(f"cannot read JSON path {path!r} at {text[at:]!r}")
        name = re.sub(r"\\(.)", r"\1", match["name"])
        found.append(Step("every") if name == "*" else Step("member", name))
        at = match.end()
    return tuple(found)


def _closing(text: str, at: int) -> int:
    """Where the bracket closes, quoted ones aside."""
    depth = 1
    while at < len(text):
        quoted = _QUOTED.match(text, at)
        if quoted is not None:
            at = quoted.end()
            continue
        depth += (text[at] == "[") - (text[at] == "]")
        if not depth:
            return at
        at += 1
    raise ValueError(f"unterminated array or filter in JSON path {text!r}")


def _bracket(text: str, path: str) -> Step:
    text = text.strip()
    if text == "*":
        return Step("every")
    filtered = _FILTER.fullmatch(text)
    if filtered is not None:
        wanted = None if filtered["right"] is None else _literal(filtered["right"])
        return Step("filter", path=steps(filtered["left"]), test=filtered["is"] or "", wanted=wanted)
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        return Step("member", re.sub(r"\\(.)", r"\1", quoted[1] or quoted[2] or ""))
    if "," in text:
        return Step("union", either=tuple(_bracket(part, path) for part in text.split(",")))
    bounds = _SLICE.fullmatch(text)
    if not text:
        return Step("every")
    if bounds is None:
        raise ValueError(f"cannot read JSON path {path!r} at {text!r}")
    start, stop, stride = (None if one in (None, "") else int(one) for one in bounds.groups())
    if ":" not in text:
        return Step("index", bounds=(start, None, None))
    return Step("slice", bounds=(start, stop, stride))


def _literal(text: str) -> Any:
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        return quoted[1] if quoted[1] is not None else quoted[2]
    known = {"true": True, "false": False, "null": None}
    if text in known:
        return known[text]
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        raise ValueError(f"unrecognized identifier {text}") from None


def find(path: str, obj: Any) -> list[Any]:
    """Every value the path leads to."""
    return _walk(steps(path), obj)


def _walk(path: tuple[Step, ...], obj: Any) -> list[Any]:
    values = [obj]
    for step in path:
        values = [found for value in values for found in _follow(step, value)]
    return values


def _follow(step: Step, value: Any) -> Iterator[Any]:
    match step.kind:
        case "member" if isinstance(value, dict) and step.name in value:
            yield value[step.name]
        case "every":
            yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        case "below":
            yield value
            for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
                yield from _follow(step, part)
        case "union":
            for one in step.either:
                yield from _follow(one, value)
        case "index" | "slice" | "filter" if isinstance(value, list):
            yield from _elements(step, value)


def _elements(step: Step, value: list[Any]) -> Iterator[Any]:
    if step.kind == "filter":
        yield from (item for item in value if _passes(step, item))
    elif step.kind == "slice":
        yield from value[slice(*step.bounds)] if (step.bounds[2] or 1) > 0 else ()
    elif step.bounds[0] is not None and -len(value) <= step.bounds[0] < len(value):
        yield value[step.bounds[0]]


def _passes(step: Step, item: Any) -> bool:
    found = _walk(step.path, item)
    if not step.test or not found:
        return bool(found)
    left, right = found[0], step.wanted
    numbers = isinstance(left, (int, float)) and isinstance(right, (int, float)) and not isinstance(left, bool)
    if type(left) is not type(right) and not numbers:
        return False
    try:
        return _TESTS[step.test](left, right)
    except TypeError:
        return False


def is_readable(path: str) -> bool:
    """Whether the path is one."""
    try:
        steps(path)
    except ValueError:
        return False
    return True


def cell(path: str, type_: str, obj: Object, now: datetime) -> Any:
    """The cell of one column: the first value, in the column's type, a date as an age; None when there is none."""
    values = find(path, obj)
    if not values:
        return None
    value = values[0]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match type_:
        case "integer":
            return _whole(value) if is_number else None
        case "number":
            return float(value) if is_number else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return _age(value, now)
    return _text(value)


def _whole(value: float) -> int:
    return int(value) if -(1 << 63) <= value < 1 << 63 else -(1 << 63)


def _age(value: Any, now: datetime) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return since(value, now)
    except ValueError:
        return INVALID


def _text(value: Any) -> str:
    """As Go prints a value: lists and maps as JSON."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return go_float(value)
    if not isinstance(value, dict | list):
        return str(value)
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
