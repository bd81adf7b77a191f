"""Pruning: fields that the schema does not know are dropped, unless it says to keep them."""

from typing import Any

from kybern.kube.structural.node import Node

ROOT_MEMBERS = frozenset({"apiVersion", "kind", "metadata"})


def prune(node: Node, obj: dict[str, Any]) -> list[str]:
    """Drop unknown fields of a custom object in place; their paths, sorted."""
    unknown: list[str] = []
    _object(node, obj, "", unknown, True)
    return sorted(unknown)


def prune_value(node: Node, value: Any) -> list[str]:
    """As `prune`, for any value at any place of a schema."""
    unknown: list[str] = []
    _value(node, value, "", unknown)
    return unknown


def _value(node: Node, value: Any, path: str, unknown: list[str]) -> None:
    if type(value) is dict:
        _object(node, value, path, unknown, node.embedded)
    elif type(value) is list:
        if node.items is None:
            if not node.preserve:  # nothing is known of what lies in there
                _undeclared(value, path, unknown)
            return
        for index, item in enumerate(value):
            if type(item) is dict or type(item) is list:
                _value(node.items, item, f"{path}[{index}]", unknown)


def _object(node: Node, value: dict[str, Any], path: str, unknown: list[str], is_resource: bool) -> None:
    properties, additional = node.properties, node.additional
    dropped = []
    for name, part in value.items():
        if is_resource and name in ROOT_MEMBERS:
            continue
        inner = properties.get(name) or additional
        if inner is None:
            if node.open:
                _undeclared(part, f"{path}.{name}" if path else name, unknown)
            elif not node.preserve and not node.closed:  # a closed object refuses it
                dropped.append(name)
        elif type(part) is dict or type(part) is list:
            _value(inner, part, f"{path}.{name}" if path else name, unknown)
    for name in dropped:
        del value[name]
        unknown.append(f"{path}.{name}" if path else name)


def _undeclared(value: Any, path: str, unknown: list[str]) -> None:
    """A value that `additionalProperties: true` lets in: nothing is known of objects within, so that they end empty."""
    if type(value) is dict:
        unknown += (f"{path}.{name}" for name in value)
        value.clear()
    elif type(value) is list:
        for index, item in enumerate(value):
            _undeclared(item, f"{path}[{index}]", unknown)
