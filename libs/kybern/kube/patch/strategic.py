"""Strategic merge patch: a merge patch that knows which lists are sets or maps, and takes directives.

`$patch: replace|delete|merge` on maps and list elements, `$deleteFromPrimitiveList/<field>`,
`$setElementOrder/<field>`, `$retainKeys`. Which lists merge, and by which key, comes from the schema
(x-kubernetes-patch-strategy and -merge-key); a list without them is replaced. Neither argument is modified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kybern.kube.patch import element_order
from kybern.kube.patch.json import unprocessable
from kybern.kube.status import StatusError, bad_request

DIRECTIVE = "$patch"
RETAIN_KEYS = "$retainKeys"
DELETE_PREFIX = "$deleteFromPrimitiveList/"
ORDER_PREFIX = "$setElementOrder/"

Map = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FieldPatch:
    """How one field is patched: its strategies ("merge", "replace", "retainKeys"), the merge key of a list of objects,
    and the schema definition of the value or of the list's elements ("" when it has none)."""

    strategies: frozenset[str] = frozenset()
    merge_key: str = ""
    definition: str = ""

    @property
    def merges(self) -> bool:
        return "merge" in self.strategies

    @property
    def replaces(self) -> bool:
        return "replace" in self.strategies


PLAIN = FieldPatch()


class PatchSchema(Protocol):
    """Where patch facts come from: `lookup` answers PLAIN for what it does not know."""

    def lookup(self, definition: str, field: str) -> FieldPatch: ...


def apply(original: Map, patch: Any, schema: PatchSchema, definition: str) -> Map:
    """A patched copy of `original`, an object of schema `definition`. Raises StatusError for a patch that is wrong."""
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: invalid JSON document")
    return _Merger(schema).merge_map(original, patch, definition)


def _bad_format(what: str) -> StatusError:
    return bad_request(f"invalid patch format of {what}")


@dataclass(frozen=True, slots=True)
class _Merger:
    schema: PatchSchema

    def merge_map(self, original: Map | None, patch: Map, definition: str) -> Map:
        match patch.get(DIRECTIVE, "merge"):
            case "replace":
                return {member: value for member, value in patch.items() if member != DIRECTIVE}
            case "delete":
                return {}
            case "merge":
                pass
            case unknown:
                raise bad_request(f"unknown patch type found: {unknown}")
        merged = _retained(original or {}, patch)
        order = {k.removeprefix(ORDER_PREFIX): v for k, v in patch.items() if k.startswith(ORDER_PREFIX)}
        for member, value in patch.items():
            if member.startswith(DELETE_PREFIX):
                _delete_primitives(merged, member.removeprefix(DELETE_PREFIX), value)
        for member, value in patch.items():
            if not _is_directive(member):
                self._merge_member(merged, member, value, definition)
        for member, wanted in order.items():
            self._set_order(merged, original or {}, patch, member, wanted, definition)
        return merged

    def _merge_member(self, merged: Map, member: str, value: Any, definition: str) -> None:
        if value is None:
            merged.pop(member, None)
            return
        field = self.schema.lookup(definition, member)
        current = merged.get(member)
        if isinstance(value, dict):
            if not isinstance(current, dict):
                merged[member] = self.merge_map(None, value, field.definition)
            elif field.replaces:
                merged[member] = value
            else:
                merged[member] = self.merge_map(current, value, field.definition)
        elif isinstance(value, list) and field.merges:
            merged[member] = self._merge_list(current if isinstance(current, list) else [], value, field, member)
        else:
            merged[member] = value

    def _merge_list(self, original: list[Any], patch: list[Any], field: FieldPatch, member: str) -> list[Any]:
        if not original and not patch:
            return original
        kinds = {type(item) for item in (*original, *patch)}
        if list in kinds:
            raise unprocessable("lists of lists are not supported")
        if dict not in kinds:
            merged = list(dict.fromkeys((*original, *patch)))
            return element_order.patch_first(merged, patch, original, "")
        if kinds != {dict}:
            raise unprocessable(f"list element types are not identical: {member}")
        if not field.merge_key:
            raise unprocessable(f"cannot merge lists without merge key for {member}")
        return self._merge_elements(original, patch, field)

    def _merge_elements(self, original: list[Map], patch: list[Map], field: FieldPatch) -> list[Map]:
        """Merge lists of objects by key. Elements with a directive act on the original first and are not merged."""
        key = field.merge_key
        kept, plain, replace = list(original), [], False
        for element in patch:
            match element.get(DIRECTIVE):
                case None:
                    plain.append(element)
                case "delete":
                    if key not in element:
                        raise unprocessable("delete patch type with no merge key defined")
                    kept = [each for each in kept if each.get(key) != element[key]]
                case "replace":
                    replace = True
                case "merge":
                    raise unprocessable("merge directive is not supported in a list element")
                case unknown:
                    raise bad_request(f"unknown patch type found: {unknown}")
        if replace:
            return plain
        merged = list(kept)
        for element in plain:
            if key not in element:
                raise unprocessable(f"map: {element} does not contain declared merge key: {key}")
            at = next((i for i, each in enumerate(merged) if each.get(key) == element[key]), None)
            if at is None:
                merged.append(self.merge_map(None, element, field.definition))
            else:
                merged[at] = self.merge_map(merged[at], element, field.definition)
        return element_order.patch_first(merged, plain, original, key)

    def _set_order(self, merged: Map, original: Map, patch: Map, member: str, wanted: Any, definition: str) -> None:
        if not isinstance(wanted, list):
            raise _bad_format("setElementOrder list")
        key = self.schema.lookup(definition, member).merge_key if any(isinstance(w, dict) for w in wanted) else ""
        patched = patch.get(member)
        element_order.check(_without_deletions(patched if isinstance(patched, list) else []), wanted, key)
        if isinstance(merged.get(member), list):
            before = original.get(member)
            before = before if isinstance(before, list) else []
            merged[member] = element_order.patch_first(merged[member], wanted, before, key)


def _is_directive(member: str) -> bool:
    return member in (DIRECTIVE, RETAIN_KEYS) or member.startswith((DELETE_PREFIX, ORDER_PREFIX))


def _without_deletions(elements: list[Any]) -> list[Any]:
    return [e for e in elements if not (isinstance(e, dict) and e.get(DIRECTIVE) in ("delete", "replace"))]


def _retained(original: Mapping[str, Any], patch: Map) -> Map:
    """A copy of `original` with only the keys $retainKeys names; every key the patch sets must be among them."""
    if RETAIN_KEYS not in patch:
        return dict(original)
    keys = patch[RETAIN_KEYS]
    if not isinstance(keys, list) or any(
        member not in keys for member, value in patch.items() if not _is_directive(member) and value is not None
    ):
        raise _bad_format("retainKeys")
    return {member: value for member, value in original.items() if member in keys}


def _delete_primitives(merged: Map, member: str, values: Any) -> None:
    if not isinstance(values, list):
        raise _bad_format("primitive list")
    current = merged.get(member)
    if isinstance(current, list):
        merged[member] = [item for item in current if item not in values]
