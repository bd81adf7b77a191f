"""Patch facts of the built-in kinds, read off the schema tables: the PatchSchema that strategic merge patch needs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from kybern.kube import schema
from kybern.kube.patch.strategic import PLAIN, FieldPatch

_STRATEGY = "x-kubernetes-patch-strategy"
_MERGE_KEY = "x-kubernetes-patch-merge-key"
_MAP_OF = "map of "  # an anonymous definition: a map whose values are of the definition named after it


class SchemaFacts:
    """Lookups in one set of definitions; each answer is kept, as patches ask for the same few fields."""

    def __init__(self, definitions: Mapping[str, schema.Definition]) -> None:
        self._definitions = definitions
        self._known: dict[tuple[str, str], FieldPatch] = {}

    def lookup(self, definition: str, field: str) -> FieldPatch:
        if definition.startswith(_MAP_OF):
            return FieldPatch(definition=definition.removeprefix(_MAP_OF))
        found = self._known.get((definition, field))
        if found is None:
            found = self._read((self._definitions.get(definition) or {}).get("properties", {}).get(field))
            if found is not PLAIN:
                self._known[definition, field] = found
        return found

    def _read(self, field: Mapping[str, Any] | None) -> FieldPatch:
        if field is None:
            return PLAIN
        strategies = frozenset(filter(None, field.get(_STRATEGY, "").split(",")))
        return FieldPatch(strategies, field.get(_MERGE_KEY, ""), _definition_of(field))


def _definition_of(field: Mapping[str, Any]) -> str:
    """The definition of a field's value, of its list's elements, or an anonymous one of its map."""
    if "$ref" in field:
        return str(field["$ref"])
    if isinstance(field.get("items"), dict):
        return _definition_of(field["items"])
    values = field.get("additionalProperties")
    if isinstance(values, dict) and (inner := _definition_of(values)):
        return f"{_MAP_OF}{inner}"
    return ""


@cache
def built_in() -> SchemaFacts:
    """The facts of every built-in kind."""
    return SchemaFacts(schema.load().definitions)


def definition_name(group: str, version: str, kind: str) -> str:
    """The name under which a built-in kind's definition is looked up; "" for a kind without one."""
    return schema.load().names.get((group, version, kind), "")
