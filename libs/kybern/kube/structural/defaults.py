"""Defaulting: absent fields take the schema's default; a null where none may be is dropped or replaced."""

from copy import deepcopy
from typing import Any

from kybern.kube.structural.node import MISSING, Node


def apply_defaults(node: Node, value: Any) -> None:
    """Fill the defaults of a value in place."""
    if node.has_defaults:
        _fill(node, value)


def _fill(node: Node, value: Any) -> None:
    if type(value) is dict:
        _fill_object(node, value)
    elif type(value) is list and node.items is not None:
        items = node.items
        for index, item in enumerate(value):
            if item is None and not items.nullable and items.default is not MISSING:
                value[index] = deepcopy(items.default)
            if items.has_defaults:
                _fill(items, value[index])


def _fill_object(node: Node, value: dict[str, Any]) -> None:
    for name, inner in node.properties.items():
        if not inner.has_defaults:
            continue
        if inner.default is not MISSING and (name not in value or (value[name] is None and not inner.nullable)):
            value[name] = deepcopy(inner.default)
        if name in value:
            _fill(inner, value[name])
    more = node.additional
    if more is not None and more.has_defaults:
        for name, part in value.items():
            if name in node.properties:
                continue
            if part is None and not more.nullable and more.default is not MISSING:
                value[name] = deepcopy(more.default)
            _fill(more, value[name])


def drop_nulls(node: Node, value: Any) -> None:
    """Drop members that are null though their schema does not allow it; after defaulting."""
    if type(value) is dict:
        dropped = []
        for name, part in value.items():
            inner = node.properties.get(name) or node.additional
            if inner is None:
                continue
            if part is None:
                if not inner.nullable:
                    dropped.append(name)
            elif type(part) is dict or type(part) is list:
                drop_nulls(inner, part)
        for name in dropped:
            del value[name]
    elif type(value) is list and node.items is not None:
        for item in value:
            if type(item) is dict or type(item) is list:
                drop_nulls(node.items, item)
