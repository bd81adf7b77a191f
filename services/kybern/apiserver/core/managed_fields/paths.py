"""An object as leaves: field paths in FieldsV1's elements, by the schema's list and map types.

Granular are objects and maps, lists that are maps (by their keys) and sets; everything else is one atomic value.
Without a schema objects are granular and lists atomic.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

Path = tuple[str, ...]
Schema = Mapping[str, Any]
Leaves = dict[Path, Any]
ITEM = object()
"""The value of the path of a list element or map entry that holds further leaves."""

EMPTY: Schema = {}
NEVER = frozenset(
    [
        ("f:apiVersion",),
        ("f:kind",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink",
                "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds",
            )
        ),
    ]
)  # fmt: skip
"""Identity and what the server writes: managed by nobody."""


class Types:
    """The definitions that `$ref`s point into, and what a schema says of merging."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def resolve(self, schema: Schema) -> Schema:
        """The schema behind a reference; what the reference itself says of merging is kept."""
        while "$ref" in schema:
            extra = {name: value for name, value in schema.items() if name != "$ref"}
            schema = {**self._definitions.get(schema["$ref"], EMPTY), **extra}
        return schema

    def member(self, schema: Schema, name: str) -> tuple[Schema, bool]:
        """(schema of a member, whether it is a declared field rather than a map's entry)."""
        found = schema.get("properties", EMPTY).get(name)
        if found is not None:
            return found, True
        more = schema.get("additionalProperties")
        return (more if isinstance(more, dict) else EMPTY), "additionalProperties" not in schema and bool(schema)


def is_granular(schema: Schema, value: Any) -> bool:
    """Whether a value is managed part by part."""
    if isinstance(value, dict):
        return schema.get("x-kubernetes-map-type") != "atomic"
    return isinstance(value, list) and schema.get("x-kubernetes-list-type") in ("map", "set")


def element(schema: Schema, types: Types, item: Any) -> str:
    """The path element of a member of a granular list."""
    if schema.get("x-kubernetes-list-type") == "set" or not isinstance(item, dict):
        return "v:" + orjson.dumps(item, option=orjson.OPT_SORT_KEYS).decode()
    inner = types.resolve(schema.get("items", EMPTY))
    keys = {}
    for key in schema.get("x-kubernetes-list-map-keys", ()):
        value = item.get(key)
        if value is None:
            value = types.resolve(types.member(inner, key)[0]).get("default")
        if value is not None:
            keys[key] = value
    return "k:" + orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()


def leaves(value: Any, schema: Schema, types: Types) -> Leaves:
    """Every leaf of an object by its path, without what nobody manages."""
    found: Leaves = {}
    _walk(value, types.resolve(schema), types, (), found.__setitem__)
    return {path: leaf for path, leaf in found.items() if path not in NEVER and path[:2] not in NEVER}


def _walk(value: Any, schema: Schema, types: Types, path: Path, put: Callable[[Path, Any], None]) -> None:
    if not is_granular(schema, value) or not value:
        if path:
            put(path, value)
        return
    for name, item, inner, declared in parts(value, schema, types):
        below = (*path, name)
        inner = types.resolve(inner)
        if not declared and is_granular(inner, item) and item:
            put(below, ITEM)
        _walk(item, inner, types, below, put)


def parts(value: Any, schema: Schema, types: Types) -> Iterator[tuple[str, Any, Schema, bool]]:
    """(path element, value, schema, whether it is a declared field) of each part of a granular value."""
    if isinstance(value, dict):
        for name, item in value.items():
            inner, declared = types.member(schema, name)
            yield f"f:{name}", item, inner, declared
        return
    inner = schema.get("items", EMPTY)
    for item in value:
        yield element(schema, types, item), item, inner, False


def readable(path: Path) -> str:
    """As conflicts name it: `.spec.containers[name="c"].image`."""
    text = ""
    for part in path:
        kind, body = part[:2], part[2:]
        if kind == "f:":
            text += f".{body}"
        elif kind == "k:":
            keys = orjson.loads(body)
            text += "[" + ",".join(f"{key}={orjson.dumps(keys[key]).decode()}" for key in sorted(keys)) + "]"
        else:
            text += f"[={body}]"
    return text
