"""Defaults of a schema: they have nothing to prune, and are as valid as what they stand in for."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from kybern.kube.field import FieldError, invalid
from kybern.kube.structural.kind import BadMember, check_embedded, prune_embedded
from kybern.kube.structural.node import Definition, Node, compile_schema
from kybern.kube.structural.prune import ROOT_MEMBERS, prune_value
from kybern.kube.structural.values import NOWHERE, check

Errors = Iterator[FieldError]


@dataclass(frozen=True)
class Within:
    """A place in the type or metadata of an embedded resource."""

    resource: Definition  # the resource's schema
    path: tuple[str | int, ...]

    def at(self, step: str | int) -> "Within":
        """A place below."""
        return Within(self.resource, (*self.path, step))

    def around(self, value: Any) -> dict[str, Any]:
        """A resource with a value at this place."""
        for step in reversed(self.path):
            value = {step: value} if isinstance(step, str) else [value]
        return {"apiVersion": "validation/v1", "kind": "Validation", **value}


def check_defaults(schema: Definition, path: str, is_root: bool = True, within: Within | None = None) -> Errors:
    """Every error of the defaults in a schema; those in the root's metadata may not be there at all."""
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    if schema.get("default") is not None:
        if within is not None and not embedded:
            yield from _check_inside(schema, f"{path}.default", within)
        else:
            yield from _check(schema, schema["default"], f"{path}.default", is_root)
    for name, child in (schema.get("properties") or {}).items():
        if not (is_root and name == "metadata"):
            inner = Within(schema, ()) if embedded and name in ROOT_MEMBERS else None if embedded else within
            yield from check_defaults(child, f"{path}.properties[{name}]", False, inner and inner.at(name))
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from check_defaults(schema[name], f"{path}.{name}", False, within and within.at(0))


def _check_inside(schema: Definition, path: str, within: Within) -> Errors:
    """A default for type or metadata of an embedded resource: what metadata does not know is dropped later."""
    default, node = schema["default"], compile_schema(schema)
    resource = within.around(deepcopy(default))
    whole = compile_schema(within.resource)
    try:
        prune_embedded(whole, resource, "", False)
    except BadMember as error:
        yield invalid(path, default, f"must result in valid metadata: {error}")
        return
    errors: list[FieldError] = []
    check_embedded(whole, resource, "", errors, False)
    if errors:
        told = [str(replace(error, field=error.field.removeprefix("."))) for error in errors]
        text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
        yield invalid(path, default, f"must result in valid metadata: {text}")
        return
    yield from _check_value(node, default, path, False)


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
    if errors:
        yield from errors
    else:
        yield from _check_value(node, value, path, is_root)


def _check_value(node: Node, value: Any, path: str, is_root: bool) -> Errors:
    errors: list[FieldError] = []
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
