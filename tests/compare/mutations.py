"""Every member of an object, made bad or odd in turn, as the schema says what it is."""

import copy
from collections.abc import Iterator
from typing import Any

from kybern.kube import schema

Object = dict[str, Any]
Path = tuple[str | int, ...]

TEXTS = ["", None, "Bad_Value!", "a" * 300, "x", "-a", "a.b", "a/b"]
NUMBERS = [0, -1, 70000, None, 1]
AMOUNTS: list[Any] = [
    {}, {"cpu": "1"}, {"Bad Key!": "1"}, {"": "1"}, {"storage": "-1"}, {"storage": "0"}, {"a.b/c": "1.5"}, {"x": "1"},
    {"pods": "1.5"}, None,
]  # fmt: skip
TEXTS_BY_KEY: list[Any] = [{}, {"Bad Key!": "x"}, {"": "x"}, {"a" * 300: "x"}, {"k": ""}, {"k": None}, {"a/b/c": "x"}]


def odd_values(of: Object) -> list[Any]:
    """What a member of a schema can be set to."""
    of = schema.load().resolve(of)
    match of.get("format"), of.get("type"):
        case "quantity", _:
            return ["0", "-1", "1m", "2Gi", None, "abc"]
        case "int-or-string", _:
            return [0, -1, 70000, "", "Bad_Name!", "http", "50%", None]
        case "date-time" | "micro-time", _:
            return [None, "2020-01-01T00:00:00Z", "2020-01-01", "x"]
        case "byte", _:
            return ["", "!!!", "aGVsbG8=", None]
        case _, "string":
            return [*TEXTS, *of.get("enum", ())]
        case _, "integer":
            return NUMBERS
        case _, "boolean":
            return [True, False, None]
        case _, "array":
            inner = schema.load().resolve(of["items"])
            texts = [["x", "x"], ["Bad_Value!"], [""]] if inner.get("type") == "string" else [[{}], [{}, {}]]
            return [None, *texts, *([item] for item in inner.get("enum", ()))]
    inner = schema.load().resolve(of.get("additionalProperties") or {})
    if inner.get("format") == "quantity":
        return AMOUNTS
    return TEXTS_BY_KEY if inner else [{}, None]


def _members(of: Object, base: Any, path: Path) -> Iterator[tuple[Path, Object]]:
    for name, member in (schema.load().resolve(of).get("properties") or {}).items():
        if not path and name in ("apiVersion", "kind", "metadata", "status"):
            continue
        inner, value, at = schema.load().resolve(member), (base or {}).get(name), (*path, name)
        yield at, member
        if inner.get("type") == "array" and value:
            yield (*at, 0), inner["items"]
            yield from _members(inner["items"], value[0], (*at, 0))
        elif "properties" in inner and (value is not None or len(path) < 2):
            yield from _members(inner, value, at)
        elif inner.get("additionalProperties") and value:
            yield (*at, next(iter(value))), inner["additionalProperties"]


def _with(obj: Object, path: Path, value: Any) -> Object:
    made: Any = copy.deepcopy(obj)
    at = made
    for step in path[:-1]:
        if isinstance(step, str) and at.get(step) is None:
            at[step] = {}
        at = at[step]
    at[path[-1]] = value
    return dict(made)


def mutations(gvk: tuple[str, str, str], base: Object) -> Iterator[Object]:
    """The object with one member changed, for each member and odd value."""
    definition = schema.definition(gvk)
    assert definition is not None
    for path, member in _members(definition, base, ()):
        for value in odd_values(member):
            yield _with(base, path, value)
