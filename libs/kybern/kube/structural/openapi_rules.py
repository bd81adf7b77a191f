"""What a schema may say at every place: members that are supported, list and map types, keys of lists that are maps."""

from collections.abc import Iterator
from typing import Any

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.library.regex import matches
from kybern.kube.field import ErrorType, FieldError, forbidden, invalid, not_supported, required
from kybern.kube.structural.node import Definition

Errors = Iterator[FieldError]
TYPES = ("array", "boolean", "integer", "number", "object", "string")
LIST_TYPES = ("atomic", "set", "map")
MAP_TYPES = ("atomic", "granular")
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
_LIST, _MAP, _KEYS = (f"x-kubernetes-{name}" for name in ("list-type", "map-type", "list-map-keys"))


def check_openapi(schema: Definition, path: str, is_root: bool = True, no_default: str = "") -> Errors:
    """Every error of a schema and those below, alternatives included."""
    yield from _members(schema, path, no_default)
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{path}.uniqueItems", detail)
    more = schema.get("additionalProperties")
    if more is not None and more is not True and schema.get("properties"):
        yield forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    for child, at, name in _children(schema, path):
        where = f"top-level {name}" if is_root and name in ("metadata", "apiVersion", "kind") else no_default
        yield from check_openapi(child, at, False, where)
    preserve = "x-kubernetes-preserve-unknown-fields"
    if schema.get(preserve) is False:
        yield invalid(f"{path}.{preserve}", False, "must be true or undefined")
    yield from _maps(schema, path)
    yield from _lists(schema, path)
    yield from _keys(schema, path)
    yield from _nullable_items(schema, path)


def _members(schema: Definition, path: str, no_default: str) -> Errors:
    kind = schema.get("type") or ""
    if kind and kind not in TYPES:
        yield not_supported(f"{path}.type", kind, TYPES)
    if schema.get("default") is not None and no_default:
        yield forbidden(f"{path}.default", f"must not be set in {no_default}")
    for name in _UNSUPPORTED:
        if schema.get(name) or (name == "$ref" and schema.get(name) is not None):
            yield forbidden(f"{path}.{name}", f"{name} is not supported")
    if kind == "null":
        yield forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    if isinstance(schema.get("items"), list) and schema["items"]:
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")
    if schema.get("pattern"):
        try:
            matches("", schema["pattern"])
        except EvaluationError as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            yield invalid(f"{path}.pattern", schema["pattern"], detail)


def _children(schema: Definition, path: str) -> Iterator[tuple[Definition, str, str]]:
    """Every schema directly inside, with its path; with its name if it is a property."""
    if isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"], f"{path}.additionalProperties", ""
    for name, child in (schema.get("properties") or {}).items():
        yield child, f"{path}.properties[{name}]", name
    if isinstance(schema.get("not"), dict):
        yield schema["not"], f"{path}.not", ""
    for name in ("allOf", "oneOf", "anyOf"):
        for index, child in enumerate(schema.get(name) or ()):
            yield child or {}, f"{path}.{name}[{index}]", ""
    if isinstance(schema.get("items"), dict):
        yield schema["items"], f"{path}.items", ""


def _of_type(schema: Definition, path: str, wanted: str, member: str) -> Errors:
    kind, detail = schema.get("type") or "", f"must be {wanted} if {member} is specified"
    if kind != wanted:
        yield invalid(f"{path}.type", kind, detail) if kind else required(f"{path}.type", detail)


def _known(value: str, path: str, known: tuple[str, ...]) -> Errors:
    """As `not_supported`, with what is supported in its own order."""
    if value not in known:
        listed = ", ".join(f'"{one}"' for one in known)
        yield FieldError(ErrorType.NOT_SUPPORTED, path, value, f"supported values: {listed}")


def _maps(schema: Definition, path: str) -> Errors:
    map_type = schema.get(_MAP)
    if map_type is not None:
        yield from _of_type(schema, path, "object", _MAP)
        yield from _known(map_type, f"{path}.{_MAP}", MAP_TYPES)


def _lists(schema: Definition, path: str) -> Errors:
    list_type, items = schema.get(_LIST), schema.get("items")
    if list_type is None:
        return
    yield from _of_type(schema, path, "array", _LIST)
    if schema.get("type") == "array" and list_type == "set" and isinstance(items, dict):
        member = {"array": _LIST, "object": _MAP}.get(items.get("type") or "")
        inner = items.get(member) if member else None
        if member and inner != "atomic" and (inner is not None or member == _MAP):
            detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
            yield invalid(f"{path}.items.{member}", inner, detail)
    yield from _known(list_type, f"{path}.{_LIST}", LIST_TYPES)


def _keys(schema: Definition, path: str) -> Errors:
    list_type, keys, items = schema.get(_LIST), schema.get(_KEYS) or [], schema.get("items")
    if keys and list_type != "map":
        at, detail = f"{path}.{_LIST}", "must be map if x-kubernetes-list-map-keys is non-empty"
        yield required(at, detail) if list_type is None else invalid(at, list_type, detail)
    if list_type != "map":
        return
    if not keys:
        yield required(f"{path}.{_KEYS}", "must not be empty if x-kubernetes-list-type is map")
    if items is None:
        yield required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
    if not isinstance(items, dict):
        return
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        yield invalid(f"{path}.items.type", items.get("type") or "", detail)
        return
    properties: dict[str, Any] = items.get("properties") or {}
    for index, key in enumerate(keys):
        found = properties.get(key)
        if found is None:
            yield invalid(f"{path}.{_KEYS}", keys, "entries must all be names of item properties")
        elif found.get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield invalid(f"{path}.items.properties[{key}].type", found["type"], detail)
        if key in keys[:index]:
            yield invalid(f"{path}.{_KEYS}", keys, "must not contain duplicate entries")


def _nullable_items(schema: Definition, path: str) -> Errors:
    list_type, items = schema.get(_LIST), schema.get("items")
    if list_type not in ("set", "map") or not isinstance(items, dict):
        return
    if items.get("nullable"):
        yield forbidden(f"{path}.items.nullable", f"cannot be nullable when x-kubernetes-list-type is {list_type}")
    for key in (schema.get(_KEYS) or []) if list_type == "map" else ():
        found = (items.get("properties") or {}).get(key)
        at, detail = f"{path}.items.properties[{key}]", "this property is in x-kubernetes-list-map-keys, so it"
        if found is None:
            continue
        if key not in (items.get("required") or ()) and found.get("default") is None:
            yield required(f"{at}.default", f"{detail} must have a default or be a required property")
        if found.get("nullable"):
            yield forbidden(f"{at}.nullable", f"{detail} cannot be nullable")
