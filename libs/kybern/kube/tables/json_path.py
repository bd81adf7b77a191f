"""JSON paths of printer columns: `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`, `.spec.ports[0]`.

The subset that additionalPrinterColumns use. A path that leads nowhere gives an empty cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from kybern.kube.meta import Object
from kybern.kube.tables.cells import INVALID, UNKNOWN, since

_STEP = re.compile(
    r"\.?\[\?\(@\.(?P<key>[\w.\-/]+)\s*==\s*[\"'](?P<value>[^\"']*)[\"']\)\]"
    r"|\.?\[(?P<index>-?[0-9]{1,9}|\*)\]"
    r"|\.?\[[\"'](?P<quoted>(?:\\.|[^\"'\\])+)[\"']\]"
    r"|\.(?P<name>(?:\\.|[^.\[\]\\])+)"
)
Step = tuple[str, str, str]


@lru_cache(maxsize=1024)
def steps(path: str) -> tuple[Step, ...]:
    """The path as (kind, argument, argument) steps; kinds are member, index, filter. Raises ValueError."""
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    if text and text[0] not in ".[":
        text = f".{text}"
    found, at = [], 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise ValueError(f"cannot read JSON path {path!r} at {text[at:]!r}")
        found.append(_step(match))
        at = match.end()
    return tuple(found)


def _step(match: re.Match[str]) -> Step:
    if match["key"] is not None:
        steps(f".{match['key']}")  # is followed in every element
        return "filter", match["key"], match["value"]
    if match["index"] is not None:
        return "index", match["index"], ""
    return "member", (match["quoted"] or match["name"]).replace("\\.", ".").replace("\\/", "/"), ""


def find(path: str, obj: Any) -> list[Any]:
    """Every value the path leads to."""
    values = [obj]
    for step in steps(path):
        values = [found for value in values for found in _follow(step, value)]
    return values


def _follow(step: Step, value: Any) -> Iterator[Any]:
    kind, argument, wanted = step
    if kind == "member":
        if isinstance(value, dict) and argument in value:
            yield value[argument]
    elif isinstance(value, list):
        if kind == "filter":
            yield from (item for item in value if find(f".{argument}", item)[:1] == [wanted])
        elif argument == "*":
            yield from value
        elif -len(value) <= int(argument) < len(value):
            yield value[int(argument)]


def cell(path: str, type_: str, obj: Object, now: datetime) -> Any:
    """The cell of one column: the value in the column's type, a date as an age, None when there is none."""
    values = [value for value in find(path, obj) if value is not None]
    if not values:
        return UNKNOWN if type_ == "date" else None
    match type_:
        case "integer":
            return int(values[0]) if isinstance(values[0], int | float) else None
        case "number":
            return float(values[0]) if isinstance(values[0], int | float) else None
        case "boolean":
            return values[0] if isinstance(values[0], bool) else None
        case "date":
            return _age(values[0], now)
    return ",".join(_text(value) for value in values)


def _age(value: Any, now: datetime) -> str:
    if not isinstance(value, str):
        return UNKNOWN
    try:
        return since(value, now)
    except ValueError:
        return INVALID


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
