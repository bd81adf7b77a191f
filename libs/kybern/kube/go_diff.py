"""How a value has changed, as refusals of updates show it: a unified diff of two structs as indented JSON."""

import difflib
from typing import Any

import orjson

from kybern.kube.go_struct import go_struct

_ESCAPED = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def go_diff(message: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> str:
    """What became of a value of that message: hunks, without the names of files."""
    before, after = (_lines(go_struct(message, value)) for value in (old, new))
    return "".join([*difflib.unified_diff(before, after)][2:])


def _lines(value: Any) -> list[str]:
    return [f"{line}\n" for line in _written(value, 0).split("\n")]


def _written(value: Any, depth: int) -> str:
    inside, end = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, dict) and value:
        members = (f"{_text(name)}: {_written(one, depth + 1)}" for name, one in value.items())
        return "{" + ",".join(inside + member for member in members) + end + "}"
    if isinstance(value, list) and value:
        return "[" + ",".join(inside + _written(one, depth + 1) for one in value) + end + "]"
    return _text(value)


def _text(value: Any) -> str:
    return orjson.dumps(value).decode().translate(_ESCAPED)
