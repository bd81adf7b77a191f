"""Types: what the schema says of owning and merging, compiled once per definition.

A map or list is granular (owned and merged part by part) or atomic (one value). Lists are atomic unless they are a set
or a map by keys; objects are granular unless `x-kubernetes-map-type: atomic`. A value the schema says nothing of is
judged by what it is: maps are granular, everything else is atomic.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson

from kybern.kube import schema

Definition = Mapping[str, Any]

SCALAR, MAP, LIST = "scalar", "map", "list"
NUMERIC, STRING, BOOLEAN, UNTYPED, ANYTHING = "numeric", "string", "boolean", "untyped", "anything"

_TEXTS = {None: STRING, "byte": STRING}
_SCALARS = {"integer": NUMERIC, "number": NUMERIC, "boolean": BOOLEAN}
_ZERO = {"string": "", "integer": 0, "number": 0, "boolean": False}

RAW = "io.k8s.apimachinery.pkg.runtime.RawExtension"  # any JSON, as one value
_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


class Type:
    """One type; its parts are compiled when first asked for."""

    __slots__ = (
        "_always",
        "_element",
        "_fields",
        "_keys",
        "_name",
        "_omitted",
        "_schema",
        "_types",
        "granular",
        "scalar",
        "shape",
    )

    def __init__(self, types: Types, shape: str, granular: bool, definition: Definition, name: str = "") -> None:
        self.shape = shape
        self.granular = granular
        self.scalar = ""
        self._types, self._schema, self._name = types, definition, name
        self._fields: dict[str, Type] | None = None
        self._element: Type | None = None
        self._keys: tuple[tuple[str, Any], ...] | None = None
        self._always: dict[str, Any] | None = None
        self._omitted: frozenset[str] | None = None

    @property
    def fields(self) -> dict[str, Type]:
        """Declared fields of a struct; none of a plain map."""
        if self._fields is None:
            given = self._schema.get("properties") or {}
            self._fields = {name: self._types.compile(field) for name, field in given.items()}
        return self._fields

    @property
    def element(self) -> Type:
        """Type of a list's items, or of a map's entries that are no declared field."""
        if self._element is None:
            self._element = self._types.element_of(self)
        return self._element

    @property
    def element_is_itself(self) -> bool:
        """Whether the schema says nothing of the value."""
        return self._element is self

    @property
    def closed(self) -> bool:
        """Whether a map takes declared fields only."""
        given = self._schema
        return bool(given.get("properties")) and not (
            given.get("additionalProperties") or given.get("x-kubernetes-preserve-unknown-fields")
        )

    @property
    def keys(self) -> tuple[tuple[str, Any], ...]:
        """(key, its default or None) of a list that is a map; none of a set."""
        if self._keys is None:
            self._keys = tuple((key, self._default(key)) for key in _list_keys(self._schema))
        return self._keys

    def _default(self, key: str) -> Any:
        given = self._schema.get("items") or {}
        items = self._types.resolve(given)
        field = self._types.resolve((items.get("properties") or {}).get(key) or {})
        if "default" in field:
            return field["default"]
        written = "$ref" in given and key in items.get("required", ())  # by a built-in struct, even if it is not set
        return _ZERO.get(field.get("type", "")) if written else None

    @property
    def always(self) -> dict[str, Any]:
        """What stands for an absent field of a built-in struct that upstream always writes: {} for a struct, None for
        a list, map or pointer, else the zero value."""
        if self._always is None:
            self._always = dict(self._always_written())
        return self._always

    @property
    def omitted(self) -> frozenset[str]:
        """Lists and maps of a built-in struct that are the same empty as absent."""
        if self._omitted is None:
            given = self._schema.get("properties") or {} if self._name else {}
            resolved = {name: self._types.resolve(field) for name, field in given.items()}
            self._omitted = frozenset(
                name
                for name, field in resolved.items()
                if name not in self.always and (field.get("type") == "array" or "additionalProperties" in field)
            )
        return self._omitted

    def _always_written(self) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        if not self._name:
            return found
        if self._name in self._types.zeros:
            return list(self._types.zeros[self._name].keeps.items())
        if self._types.zeros and self._name.startswith("io.k8s."):
            return found  # all that it has comes and goes
        required = self._schema.get("required", ())
        is_kind = "x-kubernetes-group-version-kind" in self._schema
        for name, field in (self._schema.get("properties") or {}).items():
            inner = self._types.resolve(field)
            if "properties" in inner:
                meta = field.get("$ref") == _OBJECT_META or (is_kind and name in ("spec", "status"))
                if meta or name in required:
                    found.append((name, {}))
            elif name in required and inner.get("type") in ("array", "object"):
                found.append((name, None))
        return found


class Types:
    """Compiled types over one set of definitions."""

    def __init__(self, definitions: Mapping[str, Definition], zeros: Mapping[str, schema.Zeros] | None = None) -> None:
        self._definitions = definitions
        self.zeros = zeros or {}
        self._named: dict[str, Type] = {}
        self.anything = self._scalar(ANYTHING)
        self.deduced = Type(self, MAP, True, {"x-kubernetes-preserve-unknown-fields": True})
        self.deduced._fields, self.deduced._element = {}, self.deduced
        self.map = Type(self, MAP, True, {})
        self.map._fields, self.map._element = {}, self.deduced

    def named(self, name: str) -> Type:
        """The type of a definition."""
        found = self._named.get(name)
        if found is None and name == RAW:
            found = self._named[name] = self.anything
        if found is None:
            found = self._named[name] = self._compile(self._definitions.get(name) or {}, name)
        return found

    def root(self, definition: Definition) -> Type:
        """The type of a kind from a definition of its own (a custom resource's): metadata is everybody's."""
        return self._compile(_embedded({**definition, "type": "object"}), "")

    def resolve(self, given: Definition) -> Definition:
        """The definition behind a reference; what stands beside the reference goes before."""
        while "$ref" in given:
            beside = {key: value for key, value in given.items() if key != "$ref"}
            given = {**(self._definitions.get(given["$ref"]) or {}), **beside}
        return given

    def compile(self, given: Definition) -> Type:
        """The type of a field's schema."""
        reference = given.get("$ref")
        if reference is not None and given.get("x-kubernetes-map-type") is None:
            return self.named(reference)
        return self._compile(self.resolve(given), "")

    def element_of(self, of: Type) -> Type:
        given = of._schema
        inner = given.get("items") if of.shape == LIST else given.get("additionalProperties")
        if isinstance(inner, Mapping):
            return self.compile(inner)
        return self.anything if of.shape == LIST else self.deduced

    def _compile(self, given: Definition, name: str) -> Type:
        kind = given.get("type")
        if given.get("x-kubernetes-embedded-resource"):
            given = _embedded(given)
        if given.get("x-kubernetes-int-or-string"):
            return self.anything
        if kind == "object" or (kind is None and ("properties" in given or "additionalProperties" in given)):
            if not given.get("properties") and not isinstance(given.get("additionalProperties"), Mapping):
                return self.map if kind else self.deduced
            return Type(self, MAP, given.get("x-kubernetes-map-type") != "atomic", given, name)
        if kind == "array":
            return Type(self, LIST, _is_associative(given), given, name)
        if kind is None:
            return self.deduced if given.get("x-kubernetes-preserve-unknown-fields") else self.anything
        if kind == "string":
            form = given.get("format")
            return self.anything if form == "int-or-string" else self._scalar(_TEXTS.get(form, UNTYPED))
        return self._scalar(_SCALARS.get(kind, UNTYPED))

    def _scalar(self, scalar: str) -> Type:
        made = Type(self, SCALAR, False, {})
        made.scalar = scalar
        return made


def _embedded(given: Definition) -> Definition:
    """The schema of a whole object."""
    scalar = {"type": "string"}
    always = {"apiVersion": scalar, "kind": scalar, "metadata": {"$ref": _OBJECT_META}}
    return {**given, "properties": {**(given.get("properties") or {}), **always}}


def _is_associative(given: Definition) -> bool:
    kind = given.get("x-kubernetes-list-type")
    if kind is not None:
        return kind in ("map", "set")
    return given.get("x-kubernetes-patch-strategy") in ("merge", "merge,retainKeys")


def _list_keys(given: Definition) -> tuple[str, ...]:
    if given.get("x-kubernetes-list-type") is None:
        key = given.get("x-kubernetes-patch-merge-key")
        return (key,) if key else ()
    return tuple(given.get("x-kubernetes-list-map-keys", ()))


class KeylessError(ValueError):
    """An item of a list by keys that has none of them."""


def list_element(of: Type, item: Any) -> str:
    """The path element of an item of a granular list: `k:{"name":"c"}`, `v:"x"`."""
    keys = of.keys
    if not keys or type(item) is not dict:
        return "v:" + orjson.dumps(item, option=orjson.OPT_SORT_KEYS).decode()
    found: dict[str, Any] = {}
    for key, default in keys:
        value = item.get(key, default)
        if value is not None or key in item:
            found[key] = value
    if not found:
        raise KeylessError
    return "k:" + orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()


@cache
def built_in() -> Types:
    """The types of every built-in kind."""
    return Types(schema.load().definitions, schema.load().zeros)
