"""Types of objects for the checker: shapes of values, told apart by name, as `self.spec.template`.

A struct that has no name of its own is called by the way that leads to it; its fields are looked at when an expression
speaks of them, so that large schemas cost nothing, and shapes may contain themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kybern.kube.cel import ast


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
    name: str = ""  # as messages call it; "" is called by its place


Shape = Scalar | ListOf | MapOf | Struct | ast.Type  # the last is a type that is known already
DYN = Scalar("dyn")


class Structs:
    """The structs that expressions may speak of.

    Those called `open_root` and below have any fields; one called `loose` has more fields than are known, of no type.
    """

    def __init__(self, open_root: str = "", loose: str = "") -> None:
        self._open, self._loose = open_root, loose
        self._found: dict[str, Mapping[str, Shape]] = {}

    def type_of(self, shape: Shape, name: str) -> ast.Type:
        """The type of a shape that is found at a place of that name."""
        match shape:
            case Scalar():
                return ast.Type(shape.name)
            case ListOf():
                return ast.Type("list", (self.type_of(shape.element, f"{name}.@idx"),))
            case MapOf():
                return ast.Type("map", (ast.Type("string"), self.type_of(shape.value, f"{name}.@elem")))
            case Struct():
                self._found.setdefault(shape.name or name, shape.fields)
                return ast.Type(shape.name or name)
        return shape

    def is_message(self, name: str) -> bool:
        """Whether expressions may write it by that name."""
        return bool(self._open) and (name == self._loose or name.partition(".")[0] == self._open)

    def fields(self, name: str) -> Mapping[str, Shape] | None:
        """The fields of a struct; None if there is none of that name."""
        found = self._found.get(name)
        if found is None and self._open and name.partition(".")[0] == self._open:
            return {}
        return found

    def field(self, struct: str, name: str) -> ast.Type | None:
        """The type of a field."""
        found = self._found.get(struct)
        if found is None:
            return ast.DYN
        shape = found.get(name)
        if shape is None and struct == self._loose:
            return ast.Type("")
        return None if shape is None else self.type_of(shape, f"{struct}.{name}")


def struct(fields: Mapping[str, Shape], name: str = "") -> Struct:
    """A shape with these fields."""
    return Struct(dict(fields), name)
