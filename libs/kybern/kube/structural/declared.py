"""Declared types: what CEL is told of the values at a place of a schema, and how large they may become.

Sizes follow from the limits of the schema, or from what fits into a request. Fields that the schema says nothing of
cannot be spoken of.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kybern.kube.cel.shapes import DYN, ListOf, MapOf, Scalar, Shape, Struct
from kybern.kube.structural.names import escape

Definition = Mapping[str, Any]
LARGEST = 3 << 20  # bytes of a request
_TEXT_FORMATS = {"byte": "bytes", "duration": "duration", "date": "timestamp", "date-time": "timestamp"}
_FORMAT_SIZES = {"duration": 32, "date": 12, "date-time": 29}
_TEXT: Definition = {"type": "string"}
_METADATA: Definition = {"type": "object", "properties": {"name": _TEXT, "generateName": _TEXT}}
_ROOT = {"kind": _TEXT, "apiVersion": _TEXT, "metadata": _METADATA}
_SCALARS = {"boolean": ("bool", 4), "number": ("double", 1), "integer": ("int", 1)}


@dataclass(eq=False, slots=True)
class Declared:
    """One type; `elements` is the most parts of a value, `smallest` the fewest bytes of one."""

    shape: Shape
    elements: int = 0
    smallest: int = 0
    element: "Declared | None" = None
    fields: dict[str, "Declared"] = field(default_factory=dict)

    def at(self, path: tuple[str, ...]) -> "Declared | None":
        """The type of a part; `@items`, `@values` and `@keys` lead into lists and maps."""
        found: Declared | None = self
        for name in path:
            if found is None:
                return None
            if name == "@keys":
                return Declared(Scalar("string"))
            found = found.element if name in ("@items", "@values") else found.fields.get(name)
        return found


def declare(schema: Definition, is_root: bool = False) -> Declared | None:
    """The type of a structural schema; None if nothing can be said of its values."""
    if schema.get("x-kubernetes-int-or-string"):
        return Declared(DYN, LARGEST - 2, 1)
    kind = schema.get("type") or ""
    if kind == "array":
        return _list(schema)
    if kind == "object":
        return _object(schema, is_root or bool(schema.get("x-kubernetes-embedded-resource")))
    if kind == "string":
        return _string(schema)
    if kind in _SCALARS:
        name, smallest = _SCALARS[kind]
        return Declared(Scalar(name), 0, smallest)
    return None


def _list(schema: Definition) -> Declared | None:
    items = schema.get("items")
    inner = declare(items) if isinstance(items, Mapping) else None
    if inner is None:
        return None
    most = schema.get("maxItems")
    elements = (LARGEST - 2) // (inner.smallest + 1) if most is None else max(most, 0)
    return Declared(ListOf(inner.shape), elements, 2, inner)


def _object(schema: Definition, is_resource: bool) -> Declared | None:
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        inner = declare(more)
        if inner is None:
            return None
        most = schema.get("maxProperties")
        elements = (LARGEST - 2) // (inner.smallest + 6) if most is None else max(most, 0)
        return Declared(MapOf(inner.shape), elements, 2, inner)
    properties = dict(schema.get("properties") or {})
    if is_resource:
        given = (properties.get("metadata") or {}).get("properties") or {}
        metadata = {**_METADATA, "properties": {**_METADATA["properties"], **given}}
        properties = {**_ROOT, **properties, "metadata": metadata}
    fields = {escape(name): inner for name, child in properties.items() if (inner := declare(child)) is not None}
    required = set(schema.get("required") or ())
    smallest = 2 + sum(
        len(name) + inner.smallest + 4
        for name, child in properties.items()
        if name in required and "default" not in child and (inner := fields.get(escape(name))) is not None
    )
    return Declared(Struct({name: inner.shape for name, inner in fields.items()}), 0, smallest, fields=fields)


def _string(schema: Definition) -> Declared:
    shape = schema.get("format") or ""
    name = _TEXT_FORMATS.get(shape, "string")
    most = schema.get("maxLength")
    if name in ("duration", "timestamp"):
        return Declared(Scalar(name), _FORMAT_SIZES[shape], _FORMAT_SIZES[shape] if name == "timestamp" else 2)
    if most is not None:
        return Declared(Scalar(name), max(most, 0) * (1 if name == "bytes" else 4), 2)
    if schema.get("enum"):
        return Declared(Scalar(name), max((len(one) for one in schema["enum"] if isinstance(one, str)), default=0), 2)
    return Declared(Scalar(name), LARGEST - 2, 2)
