"""Structural rules: every value has one type, said outside of allOf, anyOf, oneOf and not; nothing else is served."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.library.regex import matches
from kybern.kube.field import FieldError, forbidden, invalid, not_supported, required
from kybern.kube.structural.kind import coerce_defaults
from kybern.kube.structural.node import Definition

Errors = Iterator[FieldError]
ROOT, ITEM, FIELD = "root", "item", "field"
TYPES = ("array", "boolean", "integer", "number", "object", "string")
LIST_TYPES = ("atomic", "set", "map")
MAP_TYPES = ("atomic", "granular")
INT, TEXT = {"type": "integer"}, {"type": "string"}
_EMPTY_TYPE = {
    ROOT: "must not be empty at the root",
    ITEM: "must not be empty for specified array items",
    FIELD: "must not be empty for specified object fields",
}
_UNSUPPORTED = ("$schema", "id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
# What may not be said inside of allOf, anyOf, oneOf and not, and how the refusal goes on.
_ONLY_OUTSIDE = {
    "description": "must be empty to be structural",
    "type": "must be empty to be structural",
    "title": "must be empty to be structural",
    "default": "must be undefined to be structural",
    "nullable": "must be false to be structural",
    "additionalProperties": "must be undefined to be structural",
    "x-kubernetes-preserve-unknown-fields": "must be false to be structural",
    "x-kubernetes-embedded-resource": "must be false to be structural",
    "x-kubernetes-int-or-string": "must be false to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
    "x-kubernetes-validations": "must be empty to be structural",
}


def check_schema(schema: Definition, path: str) -> list[FieldError]:
    """Every error of an openAPIV3Schema."""
    errors = list(_plain(schema, path))
    errors += _structural(schema, path, ROOT)
    if not errors and _has_rules(schema):
        from kybern.kube.structural.rule_checks import check_all  # CEL is loaded when a schema first needs it

        errors += check_all(schema, path)
    if not errors:
        errors += _defaults(schema, path, True)
    return errors


def _has_rules(schema: Definition) -> bool:
    return bool(schema.get("x-kubernetes-validations")) or any(_has_rules(child) for child, _ in _children(schema, ""))


def _children(schema: Definition, path: str) -> Iterator[tuple[Definition, str]]:
    """Every schema directly inside, alternatives included."""
    for name, child in (schema.get("properties") or {}).items():
        yield child, f"{path}.properties[{name}]"
    for name in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(name), dict):
            yield schema[name], f"{path}.{name}"
    for name in ("allOf", "anyOf", "oneOf"):
        for index, child in enumerate(schema.get(name) or ()):
            yield child, f"{path}.{name}[{index}]"


def _plain(schema: Definition, path: str) -> Errors:
    """What holds at every place."""
    for name in _UNSUPPORTED:
        if schema.get(name):
            yield forbidden(f"{path}.{name}", f"{name} is not supported")
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{path}.uniqueItems", detail)
    more = schema.get("additionalProperties")
    if more is not None and more is not True and schema.get("properties"):
        yield forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    if more is False:
        yield forbidden(f"{path}.additionalProperties", "additionalProperties cannot be set to false")
    if isinstance(schema.get("items"), list):
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")
    kind = schema.get("type") or ""
    if kind == "null":
        yield forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    elif kind and kind not in TYPES:
        yield not_supported(f"{path}.type", kind, TYPES)
    if schema.get("pattern"):
        try:
            matches("", schema["pattern"])
        except EvaluationError as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            yield invalid(f"{path}.pattern", schema["pattern"], detail)
    yield from _lists(schema, path, kind)
    for child, at in _children(schema, path):
        yield from _plain(child, at)


def _lists(schema: Definition, path: str, kind: str) -> Errors:
    list_type, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or []
    if list_type is not None:
        if kind != "array":
            yield invalid(f"{path}.type", kind, "must be array if x-kubernetes-list-type is specified")
        if list_type not in LIST_TYPES:
            yield not_supported(f"{path}.x-kubernetes-list-type", list_type, LIST_TYPES)
    if keys and list_type != "map":
        shown = list_type if list_type is not None else None
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        yield (
            invalid(f"{path}.x-kubernetes-list-type", shown, detail)
            if shown
            else required(f"{path}.x-kubernetes-list-type", detail)
        )
    if list_type == "map":
        yield from _map_keys(schema, path, keys)
    map_type = schema.get("x-kubernetes-map-type")
    if map_type is not None:
        if kind != "object":
            yield invalid(f"{path}.type", kind, "must be object if x-kubernetes-map-type is specified")
        if map_type not in MAP_TYPES:
            yield not_supported(f"{path}.x-kubernetes-map-type", map_type, MAP_TYPES)


def _map_keys(schema: Definition, path: str, keys: list[str]) -> Errors:
    if not keys:
        detail = "must not be empty if x-kubernetes-list-type is map"
        yield required(f"{path}.x-kubernetes-list-map-keys", detail)
    items = schema.get("items")
    if not isinstance(items, dict):
        yield required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
        return
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        yield invalid(f"{path}.items.type", items.get("type") or "", detail)
    properties = items.get("properties") or {}
    for index, key in enumerate(keys):
        if key in keys[:index]:
            detail = "must not contain duplicate entries"
            yield invalid(f"{path}.x-kubernetes-list-map-keys", keys, detail)
            break
    for key in keys:
        at = f"{path}.items.properties[{key}]"
        if key not in properties:
            yield invalid(f"{path}.x-kubernetes-list-map-keys", keys, "entries must all be names of item properties")
            continue
        if properties[key].get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield invalid(f"{at}.type", properties[key]["type"], detail)
        if key not in (items.get("required") or ()) and "default" not in properties[key]:
            detail = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            )
            yield required(f"{at}.default", detail)


def _structural(schema: Definition, path: str, level: str) -> Errors:
    kind = schema.get("type") or ""
    preserve, int_or_string = (
        bool(schema.get(f"x-kubernetes-{name}")) for name in ("preserve-unknown-fields", "int-or-string")
    )
    if kind == "array" and not isinstance(schema.get("items"), dict):
        yield required(f"{path}.items", "must be specified")
    if isinstance(schema.get("items"), dict):
        yield from _structural(schema["items"], f"{path}.items", ITEM)
    for name, child in (schema.get("properties") or {}).items():
        yield from _structural(child, f"{path}.properties[{name}]", FIELD)
    more = schema.get("additionalProperties")
    if more is not None and level == ROOT:
        yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
    if isinstance(more, dict):
        yield from _structural(more, f"{path}.additionalProperties", FIELD)
    if int_or_string:
        for name in ("preserve-unknown-fields", "embedded-resource"):
            if schema.get(f"x-kubernetes-{name}"):
                detail = "must be false if x-kubernetes-int-or-string is true"
                yield invalid(f"{path}.x-kubernetes-{name}", True, detail)
        if kind:
            yield invalid(f"{path}.type", kind, "must be empty if x-kubernetes-int-or-string is true")
    yield from _alternatives(schema, path, int_or_string)
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    if embedded and kind != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        yield invalid(f"{path}.type", kind, detail) if kind else required(f"{path}.type", detail)
    elif not kind and not int_or_string and not preserve:
        yield required(f"{path}.type", _EMPTY_TYPE[level])
    if embedded and more is not None:
        yield forbidden(f"{path}.additionalProperties", "must not be used if x-kubernetes-embedded-resource is set")
    if level == ROOT and kind and kind != "object":
        yield invalid(f"{path}.type", kind, "must be object at the root")
    if level == ROOT or embedded:
        yield from _type_members(schema.get("properties") or {}, f"{path}.properties")
    if embedded and not preserve and not schema.get("properties"):
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        yield required(f"{path}.properties", detail)


def _type_members(properties: dict[str, Any], path: str) -> Errors:
    for name in ("kind", "apiVersion"):
        if name in properties and properties[name].get("type") != "string":
            yield invalid(f"{path}[{name}].type", properties[name].get("type") or "", "must be string")
    metadata = properties.get("metadata")
    if metadata is None:
        return
    if metadata.get("type") != "object":
        yield invalid(f"{path}[metadata].type", metadata.get("type") or "", "must be object")
    if set(metadata.get("properties") or ()) - {"name", "generateName"}:
        detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield forbidden(f"{path}[metadata]", detail)


def _alternatives(schema: Definition, path: str, int_or_string: bool) -> Errors:
    """Value validation may not add types or members; int-or-string may say `anyOf: [integer, string]`."""
    any_of, all_of = schema.get("anyOf") or [], schema.get("allOf") or []
    skip_any = int_or_string and any_of == [INT, TEXT]
    skip_first = int_or_string and bool(all_of) and (all_of[0].get("anyOf") == [INT, TEXT])
    known = schema
    if not skip_any:
        for index, child in enumerate(any_of):
            yield from _nested(child, known, f"{path}.anyOf[{index}]")
    for index, child in enumerate(all_of):
        if not (index == 0 and skip_first):
            yield from _nested(child, known, f"{path}.allOf[{index}]")
    for index, child in enumerate(schema.get("oneOf") or ()):
        yield from _nested(child, known, f"{path}.oneOf[{index}]")
    if isinstance(schema.get("not"), dict):
        yield from _nested(schema["not"], known, f"{path}.not")


def _nested(schema: Definition, outside: Definition | None, path: str) -> Errors:
    for name, detail in _ONLY_OUTSIDE.items():
        if schema.get(name) not in (None, False, "", []):
            yield forbidden(f"{path}.{name}", detail)
    known = (outside or {}).get("properties") or {}
    for name, child in (schema.get("properties") or {}).items():
        at = f"{path}.properties[{name}]"
        inner = known.get(name) or (outside or {}).get("additionalProperties")
        if not isinstance(inner, dict) and not (outside or {}).get("x-kubernetes-preserve-unknown-fields"):
            yield required(_outside(at), f"because it is defined in {at}")
        yield from _nested(child, inner if isinstance(inner, dict) else None, at)
    if isinstance(schema.get("items"), dict):
        items = (outside or {}).get("items")
        yield from _nested(schema["items"], items if isinstance(items, dict) else None, f"{path}.items")
    for name in ("allOf", "anyOf", "oneOf"):
        for index, child in enumerate(schema.get(name) or ()):
            yield from _nested(child, outside, f"{path}.{name}[{index}]")
    if isinstance(schema.get("not"), dict):
        yield from _nested(schema["not"], outside, f"{path}.not")


def _outside(path: str) -> str:
    """The same place without the alternatives around it."""
    return re.sub(r"\.(allOf|anyOf|oneOf)\[\d+\]|\.not(?=\.|$)", "", path)


def _defaults(schema: Definition, path: str, is_root: bool = False) -> Errors:
    """Defaults have nothing to prune and are valid themselves."""
    if "default" in schema:
        value = deepcopy(schema["default"])
        unknown, errors = coerce_defaults(schema, value)
        if unknown:
            yield invalid(f"{path}.default", schema["default"], "must not have unknown fields")
        for error in errors:
            at = f"{path}.default{error.field.removeprefix('default') if error.field != '<nil>' else ''}"
            yield FieldError(error.type, at, error.bad_value, error.detail)
    for child, at in _children(schema, path):
        if not (is_root and at == f"{path}.properties[metadata]"):
            yield from _defaults(child, at)
