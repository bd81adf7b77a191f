"""List types: the items of a set, and the keys of a list that is a map, are unique."""

from typing import Any

import orjson

from kybern.kube.field import FieldError, duplicate, invalid
from kybern.kube.structural.node import Node


def identity(item: Any, keys: tuple[str, ...]) -> bytes:
    """What tells an item of a list from the others."""
    if keys:
        item = {key: item[key] for key in keys if key in item} if type(item) is dict else item
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def check_lists(node: Node, value: Any, path: str, errors: list[FieldError]) -> None:
    """Every repeated item below a value."""
    if not node.has_uniqueness:
        return
    if type(value) is dict:
        for name, part in value.items():
            inner = node.member(name)
            if inner is not None and inner.has_uniqueness:
                check_lists(inner, part, f"{path}.{name}" if path else name, errors)
    elif type(value) is list:
        if node.list_type in ("set", "map"):
            _check_unique(node, value, path, errors)
        if node.items is not None and node.items.has_uniqueness:
            for index, item in enumerate(value):
                check_lists(node.items, item, f"{path}[{index}]", errors)


def _check_unique(node: Node, value: list[Any], path: str, errors: list[FieldError]) -> None:
    keys = node.list_keys if node.list_type == "map" else ()
    seen: set[bytes] = set()
    for index, item in enumerate(value):
        if keys and item is not None and type(item) is not dict:
            errors.append(invalid(f"{path}[{index}]", item, "must be an object for an array of list-type map"))
            return
        known = identity(item, keys)
        if known in seen:
            shown = orjson.loads(known)
            errors.append(duplicate(f"{path}[{index}]", shown))
        seen.add(known)
