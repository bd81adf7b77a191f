"""Defaults of a schema: they have nothing to prune, and are as valid as what they stand in for."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from kybern.kube.field import FieldError, invalid
from kybern.kube.structural.kind import BadMember, check_embedded, prune_embedded
from kybern.kube.structural.node import Definition, Node, compile_schema
from kybern.kube.structural.prune import prune_value
from kybern.kube.structural.values import NOWHERE, check

Errors = Iterator[FieldError]


def check_defaults(schema: Definition, path: str, is_root: bool = True) -> Errors:
    """Every error of the defaults in a schema; those in the root's metadata may not be there at all."""
    if schema.get("default") is not None:
        yield from _check(schema, schema["default"], f"{path}.default", is_root)
    for name, child in (schema.get("properties") or {}).items():
        if not (is_root and name == "metadata"):
            yield from check_defaults(child, f"{path}.properties[{name}]", False)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from check_defaults(schema[name], f"{path}.{name}", False)


def _check(schema: Definition, default: Any, path: str, is_root: bool) -> Errors:
    node = compile_schema({**schema, "x-kubernetes-embedded-resource": True} if is_root else schema)
    value = deepcopy(default)
    if prune_value(node, value):
        yield invalid(path, default, "must not have unknown fields")
        return
    errors: list[FieldError] = []
    if node.metadata:
        try:
            prune_embedded(node, value, "", False)
        except BadMember as error:
            yield FieldError(error.found.type, f"{path}.{error.found.field}", error.found.bad_value, error.found.detail)
            return
        check_embedded(node, value, path, errors, False)
    if not errors:
        check(_untyped(node), value, "", errors)
        errors = [_below(error, path) for error in errors]
    if not errors and node.has_rules:
        from kybern.kube.structural.rules import check_rules  # CEL is loaded when a schema first needs it

        check_rules(node, value, path, errors, value, is_root=is_root, ratchet=False)
    yield from errors


def _below(error: FieldError, path: str) -> FieldError:
    """The error at its place in the definition: the value's own path follows, however it begins."""
    at = "" if error.field in ("", NOWHERE) else "." + error.field.removeprefix(".")
    return FieldError(error.type, path + at, error.bad_value, error.detail)


def _untyped(node: Node) -> Node:
    """The node with int-or-string read as what it says for itself: any type."""
    return compile_schema(_without_types(node.schema)) if _has_int_or_string(node.schema) else node


def _has_int_or_string(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(map(_has_int_or_string, schema))
    if not isinstance(schema, dict):
        return False
    return bool(schema.get("x-kubernetes-int-or-string")) or any(map(_has_int_or_string, schema.values()))


def _without_types(schema: Any) -> Any:
    if isinstance(schema, list):
        return list(map(_without_types, schema))
    if not isinstance(schema, dict):
        return schema
    return {name: _without_types(value) for name, value in schema.items() if name != "x-kubernetes-int-or-string"}
