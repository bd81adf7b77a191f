"""Members that a JSON object names more than once: as upstream's decoder reads on into the same struct, they add up.

Structs and maps are merged, lists element by element, other values replaced. A null unsets a pointer, a list or a map,
and leaves a struct or a plain value as it was. A value of the wrong type stays wrong, whatever comes after it.
"""

import json
from typing import Any

from kybern.kube.schema.go_types import FIELDS, RAW
from kybern.kube.schema.table import Definition, Zeros, load

_NONE = Zeros()
_PLAIN = {"string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float)}


def read_repeated(definition: Definition, data: bytes) -> dict[str, Any]:
    """The JSON object `data` as a struct of the definition, each of whose members may have been given several times."""
    gvk = (definition.get("x-kubernetes-group-version-kind") or [{}])[0]
    name = load().names.get((gvk.get("group", ""), gvk.get("version", ""), gvk.get("kind", "")), "")
    obj: dict[str, Any] = _struct(definition, name, json.loads(data, object_pairs_hook=tuple), {})
    return obj


def _struct(definition: Definition, name: str, pairs: Any, old: Any) -> Any:
    """What is left of a struct that was `old`."""
    found = dict(old) if isinstance(old, dict) else {}
    zeros = load().zeros.get(name, _NONE)
    for member, value in pairs:
        schema = definition["properties"].get(member)
        if schema is None:
            found[member] = _last(value)
        elif value is None:
            if not _keeps_nulls(schema, member, zeros):
                found[member] = None
            else:
                found.setdefault(member, None)
        else:
            found[member] = _value(schema, value, found.get(member))
    return found


def _keeps_nulls(schema: Definition, member: str, zeros: Zeros) -> bool:
    """Whether a null leaves a member alone, as it is no pointer."""
    plain = load().resolve(schema)
    if _types(plain):
        return member in zeros.drops or member in zeros.keeps
    return "properties" in plain and zeros.keeps.get(member) is not None


def _value(schema: Definition, value: Any, old: Any) -> Any:
    name = schema.get("$ref", "")
    if name in (RAW, FIELDS):
        return _last(value)
    plain = load().resolve(schema)
    if _is_wrong(plain, old):
        return old
    if isinstance(value, tuple) and "properties" in plain:
        return _struct(plain, name, value, old)
    if isinstance(value, tuple) and "additionalProperties" in plain:
        items = plain["additionalProperties"]
        fresh = {key: None if item is None else _value(items, item, None) for key, item in value}
        return {**(old or {}), **fresh}
    if isinstance(value, list) and "items" in plain:
        before = [*(old or ()), *[None] * len(value)]
        pairs = zip(value, before, strict=False)
        return [one if item is None else _value(plain["items"], item, one) for item, one in pairs]
    return _last(value)


def _is_wrong(plain: Definition, value: Any) -> bool:
    """Whether a value cannot be of the type: decoding will say so."""
    if value is None:
        return False
    if "properties" in plain or "additionalProperties" in plain:
        return not isinstance(value, dict)
    if "items" in plain:
        return not isinstance(value, list)
    types = _types(plain)
    return bool(types) and type(value) not in types


def _types(plain: Definition) -> tuple[type, ...]:
    """What a value may be, unless it is read in a way of its own, as times and bytes are."""
    kind = plain.get("type", "")
    return () if kind == "string" and "format" in plain else _PLAIN.get(kind, ())


def _last(value: Any) -> Any:
    """Any JSON, of which the last of equal members counts."""
    if isinstance(value, tuple):
        return {name: _last(child) for name, child in value}
    return [_last(child) for child in value] if isinstance(value, list) else value
