"""An expression as a tree: what the parser says in the wire format of cel.expr.ParsedExpr, decoded.

Only the numbers of the fields are known here; the tree is small and frozen, and each node has its id, under which types
and places are found.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kybern.kube.cel.values import UInt


@dataclass(frozen=True, slots=True)
class Node:
    """`id` is unique in an expression."""

    id: int


@dataclass(frozen=True, slots=True)
class Const(Node):
    value: Any


@dataclass(frozen=True, slots=True)
class Ident(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Select(Node):
    """`operand.field`, or `has(operand.field)`."""

    operand: Node
    field: str
    test_only: bool


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A call; operators are functions named like `_+_`."""

    target: Node | None
    function: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class CreateList(Node):
    elements: tuple[Node, ...]
    optional: frozenset[int]  # positions of elements that may be absent


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a map or message: `key` is a Node, or the name of a field."""

    key: Any
    value: Node
    optional: bool
    id: int = 0


@dataclass(frozen=True, slots=True)
class CreateStruct(Node):
    """A map if `message` is empty."""

    message: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Comprehension(Node):
    """What macros like `all` become."""

    iter_var: str
    iter_var2: str
    iter_range: Node
    accu_var: str
    accu_init: Node
    loop_condition: Node
    loop_step: Node
    result: Node


@dataclass(frozen=True, slots=True)
class Type:
    """A type of the checker: `name` as CEL prints it (`int`, `list`, `map`, `dyn`, a message), with its parameters."""

    name: str
    parameters: tuple["Type", ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.parameters))})" if self.parameters else self.name


DYN = Type("dyn")


@dataclass(frozen=True, slots=True)
class Parsed:
    """An expression as it is written, macros replaced by what they stand for."""

    root: Node
    positions: dict[int, int] = field(default_factory=dict)  # characters before a node
    deep: bool = False  # whether it nests deeper than Python's functions usually call each other


@dataclass(frozen=True, slots=True)
class Checked:
    """An expression with the types of its nodes (by their ids)."""

    root: Node
    types: dict[int, Type] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)  # what qualified identifiers mean
    positions: dict[int, int] = field(default_factory=dict)
    deep: bool = False

    def type_of(self, node: Node) -> Type:
        return self.types.get(node.id, DYN)


Fields = dict[int, list[Any]]


def read(data: bytes) -> Parsed:
    """The tree of a serialized expression (cel.expr.ParsedExpr inside google.protobuf.Any)."""
    parsed = _fields(_first(_fields(data), 2, b""))
    info = _fields(_first(parsed, 3, b""))
    positions = {key: value for key, value in _map(info, 4) if isinstance(value, int)}
    return Parsed(_node(_first(parsed, 2, b"")), positions)


def _map(message: Fields, number: int) -> Iterator[tuple[int, Any]]:
    for entry in message.get(number, ()):
        pair = _fields(entry)
        yield _first(pair, 1, 0), _first(pair, 2, b"")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: bytes) -> Fields:
    found: Fields = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value: Any
        match key & 7:
            case 0:
                value, at = _varint(data, at)
            case 1:
                value, at = data[at : at + 8], at + 8
            case 5:
                value, at = data[at : at + 4], at + 4
            case _:
                size, at = _varint(data, at)
                value, at = data[at : at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def _first(message: Fields, number: int, default: Any) -> Any:
    return message[number][0] if number in message else default


def _text(message: Fields, number: int) -> str:
    return str(_first(message, number, b"").decode())


def _node(data: bytes) -> Node:
    message = _fields(data)
    at = _first(message, 2, 0)
    for number, build in _BUILDERS.items():
        if number in message:
            return build(at, _fields(message[number][0]))
    return Const(at, None)


def _child(message: Fields, number: int) -> Node:
    return _node(_first(message, number, b""))


def _const(at: int, message: Fields) -> Node:
    for number, values in message.items():
        return Const(at, _constant(number, values[0]))
    return Const(at, None)


def _constant(number: int, value: Any) -> Any:
    match number:
        case 2:
            return bool(value)
        case 3:
            return value - (1 << 64) if value >= 1 << 63 else value
        case 4:
            return UInt(value)
        case 5:
            return struct.unpack("<d", value)[0]
        case 6:
            return value.decode()
        case 7:
            return value
    return None


def _call(at: int, message: Fields) -> Node:
    target = _child(message, 1) if 1 in message else None
    return Call(at, target, _text(message, 2), tuple(map(_node, message.get(3, ()))))


def _list(at: int, message: Fields) -> Node:
    optional: list[int] = []
    for packed in message.get(2, ()):
        if isinstance(packed, int):
            optional.append(packed)
            continue
        position = 0
        while position < len(packed):
            value, position = _varint(packed, position)
            optional.append(value)
    return CreateList(at, tuple(map(_node, message.get(1, ()))), frozenset(optional))


def _struct(at: int, message: Fields) -> Node:
    entries = []
    for data in message.get(2, ()):
        entry = _fields(data)
        key: Any = _text(entry, 2) if 2 in entry else _child(entry, 3)
        entries.append(Entry(key, _child(entry, 4), bool(_first(entry, 5, 0)), _first(entry, 1, 0)))
    return CreateStruct(at, _text(message, 1), tuple(entries))


def _comprehension(at: int, message: Fields) -> Node:
    return Comprehension(
        at, _text(message, 1), _text(message, 8), _child(message, 2), _text(message, 3), _child(message, 4),
        _child(message, 5), _child(message, 6), _child(message, 7),
    )  # fmt: skip


_BUILDERS = {
    3: _const,
    4: lambda at, message: Ident(at, _text(message, 1)),
    5: lambda at, message: Select(at, _child(message, 1), _text(message, 2), bool(_first(message, 3, 0))),
    6: _call,
    7: _list,
    8: _struct,
    9: _comprehension,
}
