"""Duplicate members: a JSON object that names one member twice, which a decoded dict can no longer show."""

import json
from typing import Any

import orjson


def duplicate_fields(data: bytes) -> list[str]:
    """Paths such as `spec.containers[0].name` of members given twice, in order of appearance.

    `data` is valid JSON. Almost always a count of quotes settles it: decoding drops a repeated member with its quotes.
    """
    if data.count(b'"') - data.count(b'\\"') == _quotes(data):
        return []
    return [path for what, path in appearances(data) if what == "duplicate"]


def appearances(data: bytes) -> dict[tuple[str, str], int]:
    """Where in the document each member comes first ("unknown", path) and again ("duplicate", path)."""
    places: dict[tuple[str, str], int] = {}
    _place(json.loads(data, object_pairs_hook=tuple), "", places)
    return places


def _place(value: Any, path: str, places: dict[tuple[str, str], int]) -> None:
    if isinstance(value, tuple):
        seen = set()
        for name, child in value:
            where = _join(path, name)
            places.setdefault(("duplicate" if name in seen else "unknown", where), len(places))
            seen.add(name)
            _place(child, where, places)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _place(child, f"{path}[{index}]", places)


def _quotes(data: bytes) -> int:
    again = orjson.dumps(orjson.loads(data))
    return again.count(b'"') - again.count(b'\\"')


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
