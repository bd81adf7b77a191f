"""Message classes made at run time from the table of wire numbers, and what JSON needs to know of each field.

`wire.json.gz` has, by message, rows of [number, JSON name ("" for an inlined struct), type, repeated, optional].
`optional` marks scalars whose zero values are in the JSON form too (pointers, and what JSON never omits); the zero
values of other scalars mean "absent". `tools/wire.py` reads these marks off Kubernetes' Go types.
"""

import gzip
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Field = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "string": Field.TYPE_STRING,
    "bool": Field.TYPE_BOOL,
    "bytes": Field.TYPE_BYTES,
    "int32": Field.TYPE_INT32,
    "int64": Field.TYPE_INT64,
    "double": Field.TYPE_DOUBLE,
}
Row = tuple[int, str, str, int, int]


# messages whose fields keep their numbers as names: the envelope, and those with a JSON form of their own
NUMBERED = (
    "k8s.io.apimachinery.pkg.runtime.",
    "k8s.io.apimachinery.pkg.api.resource.",
    "k8s.io.apimachinery.pkg.util.intstr.",
)


@dataclass(frozen=True)
class FieldPlan:
    """One field: how it is called in the message class and in JSON, and what its value is."""

    number: int
    attribute: str
    json: str  # "": the value's own fields belong to the parent
    type: str  # scalar, or full name of a message
    repeated: bool
    optional: bool
    map: bool  # string keys; `type` is the values'


@cache
def table() -> dict[str, list[Row]]:
    """Every message of Kubernetes 1.36."""
    packed = (resources.files(__package__) / "wire.json.gz").read_bytes()
    rows: dict[str, list[Row]] = json.loads(gzip.decompress(packed))
    return rows


def full_name(message: str, type_name: str) -> str:
    """A type as written in a message's rows, with its package."""
    if type_name in SCALARS or type_name.lstrip(".").startswith("k8s."):
        return type_name.lstrip(".")
    return f"{message.rpartition('.')[0]}.{type_name}"


@cache
def plan(message: str) -> tuple[FieldPlan, ...]:
    """The fields of a message."""
    fields = []
    for number, name, written, repeated, optional in table()[message]:
        is_map = written.startswith("map:")
        type_name = full_name(message, written.split(":", 2)[2] if is_map else written)
        named = name.isidentifier() and not message.startswith(NUMBERED)
        attribute = name if named else f"f{number}"
        fields.append(FieldPlan(number, attribute, name, type_name, bool(repeated), bool(optional), is_map))
    return tuple(fields)


def flat(message: str) -> str:
    """A message's name in our one generated file."""
    return message.replace(".", "_")


def add_field(
    target: descriptor_pb2.DescriptorProto, number: int, name: str, type_name: str, *, repeated: bool
) -> None:
    """A field in a message under construction."""
    field = target.field.add(name=name, number=number)
    field.label = Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL
    if type_name in SCALARS:
        field.type = SCALARS[type_name]
        if not repeated and not target.options.map_entry:  # present or not, as in proto2, whose strings go unchecked
            field.proto3_optional, field.oneof_index = True, len(target.oneof_decl)
            target.oneof_decl.add(name=f"_{name}")
        elif repeated and type_name in ("int32", "int64", "bool", "double"):
            field.options.packed = False
    else:
        field.type = Field.TYPE_MESSAGE
        field.type_name = f".{flat(type_name)}"


def add_map(target: descriptor_pb2.DescriptorProto, number: int, name: str, value_type: str) -> None:
    """A map field with string keys: a repeated entry message of its own."""
    entry = target.nested_type.add(name=f"{name[0].upper()}{name[1:]}Entry")
    entry.options.map_entry = True
    add_field(entry, 1, "key", "string", repeated=False)
    add_field(entry, 2, "value", value_type, repeated=False)
    field = target.field.add(name=name, number=number, label=Field.LABEL_REPEATED, type=Field.TYPE_MESSAGE)
    field.type_name = f".{target.name}.{entry.name}"


@cache
def pool() -> descriptor_pool.DescriptorPool:
    """A pool with every message."""
    file = descriptor_pb2.FileDescriptorProto(name="kubernetes.proto", syntax="proto3")
    for message, rows in table().items():
        target = file.message_type.add(name=flat(message))
        for row, field in zip(rows, plan(message), strict=True):
            if field.map:
                add_map(target, row[0], field.attribute, field.type)
            else:
                add_field(target, row[0], field.attribute, field.type, repeated=field.repeated)
    made = descriptor_pool.DescriptorPool()
    made.Add(file)
    return made


@cache
def message_class(message: str) -> Any:
    """The class of a message by its full name."""
    return message_factory.GetMessageClass(pool().FindMessageTypeByName(flat(message)))
