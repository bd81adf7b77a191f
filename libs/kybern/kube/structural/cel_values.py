"""Values as CEL sees them: names of fields as identifiers, times, durations and bytes as such, sets and keyed lists."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from kybern.kube.cel import EvaluationError
from kybern.kube.cel.library.times import duration, timestamp
from kybern.kube.cel.values import KeyedList, equal
from kybern.kube.structural.names import escape
from kybern.kube.structural.node import Node


class Keyed(KeyedList):
    """A set (no keys), or a list whose items are told apart by the values of some fields."""

    def __init__(self, items: Sequence[Any], keys: tuple[str, ...]) -> None:
        super().__init__(items)
        self.keys = keys

    def _key(self, item: Any) -> Any:
        return [item.get(key) for key in self.keys] if self.keys and isinstance(item, dict) else item

    def _find(self, item: Any) -> int:
        wanted = self._key(item)
        return next((at for at, one in enumerate(self) if equal(self._key(one), wanted)), -1)

    def equals(self, other: Sequence[Any]) -> bool:
        if len(self) != len(other):
            return False
        return all((at := self._find(item)) >= 0 and equal(self[at], item) for item in other)

    def joined(self, other: Sequence[Any]) -> KeyedList:
        found = Keyed(self, self.keys)
        for item in other:
            at = found._find(item)
            if at < 0:
                found.append(item)
            else:
                found[at] = item
        return found


def to_cel(node: Node | None, value: Any) -> Any:
    """A value of a place. What nothing has to be done about is not copied."""
    if node is None or node.plain:
        return value
    if type(value) is dict:
        properties, found = node.properties, {}
        for name, part in value.items():
            inner = properties.get(name)
            if inner is not None:
                found[escape(name)] = part if inner.plain else to_cel(inner, part)
            elif node.additional is not None:
                found[name] = to_cel(node.additional, part)
            else:
                found[name] = part
        return found
    if type(value) is list:
        items = value if node.items is None or node.items.plain else [to_cel(node.items, item) for item in value]
        if node.list_type in ("set", "map"):
            return Keyed(items, tuple(map(escape, node.list_keys)))
        return items
    if type(value) is str:
        return _formatted(node.format, value) if node.types == ("string",) else value
    if type(value) is int and node.types == ("number",):
        return float(value)
    if type(value) is float and node.types == ("integer",) and value.is_integer():
        return int(value)
    return value


def _formatted(shape: str, value: str) -> Any:
    try:
        if shape in ("date-time", "date"):
            return timestamp(value.upper() if "T" in value.upper() else f"{value}T00:00:00Z")
        if shape == "duration":
            return duration(value)
        if shape == "byte":
            return base64.b64decode(value)
    except (EvaluationError, binascii.Error, ValueError):
        return value
    return value
