"""Pieces that many printers share: ages, container lists, selectors, and the words for "nothing here"."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from kybern.kube import duration, meta
from kybern.kube.meta import Object

NONE = "<none>"
UNSET = "<unset>"
NIL = "<nil>"
UNKNOWN = "<unknown>"
INVALID = "<invalid>"
NOT_APPLICABLE = "N/A"

Cells = list[Any]
Printer = Callable[[Object, datetime], Cells]


def age(obj: Mapping[str, Any], now: datetime) -> str:
    return duration.age(meta.creation_timestamp(obj), now)


def since(timestamp: str | None, now: datetime) -> str:
    """The age of a Time or MicroTime in JSON; "<unknown>" when absent."""
    return duration.age(meta.parse_time(timestamp), now)


def spec(obj: Mapping[str, Any]) -> Object:
    return obj.get("spec") or {}


def status(obj: Mapping[str, Any]) -> Object:
    return obj.get("status") or {}


def or_none(text: Any) -> Any:
    return text or NONE


def joined(values: Iterable[Any], nothing: str = NONE, separator: str = ",") -> str:
    return separator.join(map(str, values)) or nothing


def first_few(values: list[str], nothing: str = NONE, limit: int = 3) -> str:
    """At most `limit` values, then how many were left out: "a,b,c + 2 more..."."""
    if not values:
        return nothing
    shown = ",".join(values[:limit])
    return f"{shown} + {len(values) - limit} more..." if len(values) > limit else shown


def labels_text(labels: Mapping[str, str] | None) -> str:
    return joined(f"{key}={value}" for key, value in sorted((labels or {}).items()))


_EXPRESSIONS = {
    "In": "{key} in ({values})",
    "NotIn": "{key} notin ({values})",
    "Exists": "{key}",
    "DoesNotExist": "!{key}",
}


def label_selector_text(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector in string form; "<none>" when it selects everything or is absent."""
    selector = selector or {}
    parts = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        form = _EXPRESSIONS.get(expression.get("operator", ""), "<error>")
        values = ",".join(sorted(expression.get("values") or ()))
        parts.append((expression["key"], form.format(key=expression["key"], values=values)))
    return joined(text for _, text in sorted(parts, key=lambda part: part[0]))


def containers_and_images(template: Mapping[str, Any] | None) -> tuple[str, str]:
    """The names and the images of a pod template's containers."""
    containers = spec(template or {}).get("containers") or ()
    return ",".join(c.get("name", "") for c in containers), ",".join(c.get("image", "") for c in containers)


_ACCESS_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def access_modes(modes: Iterable[str] | None) -> str:
    """Short forms in fixed order, each once: "RWO,ROX"."""
    present = set(modes or ())
    return ",".join(short for mode, short in _ACCESS_MODES.items() if mode in present)
