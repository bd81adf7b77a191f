"""Types of objects for the compiler: shapes of values become message types that expressions are checked against.

Only the compiler sees messages; values stay plain. What messages cannot say (a list of lists, a map of lists) is `dyn`
from there on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, struct_pb2, timestamp_pb2

PACKAGE = "kubernetes.objects"
FIELD = descriptor_pb2.FieldDescriptorProto
MESSAGE = FIELD.TYPE_MESSAGE
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value without parts: bool, int, double, string, bytes, timestamp, duration, dyn, or an opaque type."""

    name: str


@dataclass(frozen=True, slots=True)
class ListOf:
    element: "Shape"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map with texts as keys."""

    value: "Shape"


@dataclass(eq=False, slots=True)
class Struct:
    """An object with named fields, which may be filled in later: a shape may contain itself."""

    fields: dict[str, "Shape"] = field(default_factory=dict)
    name: str = ""  # as expressions call it; "" is nameless


Shape = Scalar | ListOf | MapOf | Struct
DYN = Scalar("dyn")
_PLAIN = {"bool": FIELD.TYPE_BOOL, "int": FIELD.TYPE_INT64, "uint": FIELD.TYPE_UINT64, "double": FIELD.TYPE_DOUBLE,
          "string": FIELD.TYPE_STRING, "bytes": FIELD.TYPE_BYTES}  # fmt: skip
_WELL_KNOWN = {
    "timestamp": ".google.protobuf.Timestamp", "duration": ".google.protobuf.Duration", "dyn": ".google.protobuf.Value",
}  # fmt: skip
_VALUE, _LIST, _STRUCT = (f".google.protobuf.{name}" for name in ("Value", "ListValue", "Struct"))


class Messages:
    """Collects shapes; `pool` has their messages."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._kept: list[Struct] = []  # an id is good for as long as its object lives
        self._files: list[descriptor_pb2.FileDescriptorProto] = []
        self._file = descriptor_pb2.FileDescriptorProto(
            name="kubernetes.proto", package=PACKAGE, syntax="proto2",
            dependency=[f"google/protobuf/{name}.proto" for name in ("struct", "timestamp", "duration")],
        )  # fmt: skip

    def type_of(self, shape: Shape) -> str:
        """The type of a variable of that shape."""
        match shape:
            case Scalar():
                return shape.name
            case ListOf():
                return f"list<{self.type_of(shape.element)}>"
            case MapOf():
                return f"map<string, {self.type_of(shape.value)}>"
        return self._message(shape)

    def pool(self) -> Any:
        """What the environment is made with."""
        pool = descriptor_pool.DescriptorPool()
        for module in (struct_pb2, timestamp_pb2, duration_pb2):
            pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        for file in (self._file, *self._files):
            pool.AddSerializedFile(file.SerializeToString())
        return pool

    def _message(self, shape: Struct) -> str:
        known = self._names.get(id(shape))
        if known is not None:
            return known
        self._kept.append(shape)
        file, name = self._file, f"{PACKAGE}.T{len(self._kept)}"
        if shape.name:  # named messages stand in no package
            name = shape.name
            file = descriptor_pb2.FileDescriptorProto(
                name=f"{name}.proto", syntax="proto2", dependency=[*self._file.dependency, self._file.name]
            )
            self._files.append(file)
        self._names[id(shape)] = name
        message = file.message_type.add(name=name.rpartition(".")[2])
        message.options.deprecated_legacy_json_field_conflicts = True
        entries = set(shape.fields)  # names that are taken, of fields and of the entries of maps
        for number, (field_name, inner) in enumerate(shape.fields.items(), 1):
            if _IDENTIFIER.fullmatch(field_name):
                self._field(message, field_name, number + 19_000 if number > 18_999 else number, inner, entries)
        return name

    def _field(self, message: Any, name: str, number: int, shape: Shape, entries: set[str]) -> None:
        found = message.field.add(name=name, number=number, label=FIELD.LABEL_OPTIONAL, json_name=f"f{number}")
        if isinstance(shape, MapOf) and not isinstance(shape.value, (ListOf, MapOf)):
            entry = f"{_camel(name)}Entry"
            if entry in entries:  # two fields that differ in underscores, say
                found.type, found.type_name = MESSAGE, _STRUCT
                return
            entries.add(entry)
            self._entry(message, entry, shape.value)
            found.type, found.type_name, found.label = MESSAGE, f".{self._path(message)}.{entry}", FIELD.LABEL_REPEATED
            return
        if isinstance(shape, ListOf) and not isinstance(shape.element, (ListOf, MapOf)):
            found.label, shape = FIELD.LABEL_REPEATED, shape.element
        self._set_type(found, shape)

    def _entry(self, message: Any, name: str, value: Shape) -> None:
        entry = message.nested_type.add(name=name)
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=FIELD.LABEL_OPTIONAL, type=FIELD.TYPE_STRING)
        self._set_type(entry.field.add(name="value", number=2, label=FIELD.LABEL_OPTIONAL), value)

    def _set_type(self, found: Any, shape: Shape) -> None:
        match shape:
            case Scalar() if shape.name in _PLAIN:
                found.type = _PLAIN[shape.name]
            case Struct():
                found.type, found.type_name = MESSAGE, f".{self._message(shape)}"
            case _:
                found.type = MESSAGE
                name = shape.name if isinstance(shape, Scalar) else ""
                found.type_name = _WELL_KNOWN.get(name, _VALUE if name else _composed(shape))

    def _path(self, message: Any) -> str:
        return f"{PACKAGE}.{message.name}" if any(one is message for one in self._file.message_type) else message.name


def _composed(shape: Shape) -> str:
    return _LIST if isinstance(shape, ListOf) else _STRUCT


def _camel(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def of_type(name: str, parameters: tuple[Any, ...] = ()) -> Shape:
    """The shape of a checked type: what a variable that is computed may be used as."""
    match name:
        case "list":
            return ListOf(of_type(parameters[0].name, parameters[0].parameters))
        case "map" if parameters[0].name == "string":
            return MapOf(of_type(parameters[1].name, parameters[1].parameters))
        case "bool" | "int" | "uint" | "double" | "string" | "bytes" | "timestamp" | "duration":
            return Scalar(name)
    return DYN


def struct(fields: Mapping[str, Shape], name: str = "") -> Struct:
    """A shape with these fields."""
    return Struct(dict(fields), name)
