"""Strategic merge patch: a merge patch that knows which lists are sets or maps, and takes directives.

`$patch: replace|delete|merge` on maps and list elements, `$deleteFromPrimitiveList/<field>`,
`$setElementOrder/<field>`, `$retainKeys`. Which lists merge, and by which key, comes from the schema
(x-kubernetes-patch-strategy and -merge-key); a list without them is replaced. Neither argument is modified.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kybern.kube.go_values import printed
from kybern.kube.patch import element_order, errors
from kybern.kube.patch.json import unprocessable
from kybern.kube.recognize import go_type
from kybern.kube.status import StatusError, bad_request

DIRECTIVE = "$patch"
RETAIN_KEYS = "$retainKeys"
_DELETE = "$deleteFromPrimitiveList"
_ORDER = "$setElementOrder"
_RAW = "io.k8s.apimachinery.pkg.runtime.RawExtension"  # any JSON, of which nothing is known

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
        if patch is None:
            return dict(original)
        raise bad_request(f"json: cannot unmarshal {go_type(patch)} into Go value of type map[string]interface {{}}")
    return _Merger(schema).merge_map(original, patch, definition)


def left_over(original: Map, patch: Any, schema: PatchSchema, definition: str) -> Any:
    """A patch without the directives that merging it used up, as upstream shows it when what came of it is refused."""
    left, used = copy.deepcopy(patch), list[tuple[Map, str]]()
    if isinstance(left, dict):
        _Merger(schema, used).merge_map(original, left, definition)
    for holder, member in used:
        holder.pop(member, None)
    return left


def _bad_format(what: str) -> StatusError:
    return bad_request(f"invalid patch format of {what}")


@dataclass(frozen=True, slots=True)
class _Merger:
    schema: PatchSchema
    used: list[tuple[Map, str]] | None = None  # collects the directives that are done with, by the maps that hold them

    def _use(self, holder: Map, *members: str) -> None:
        if self.used is not None:
            self.used.extend((holder, member) for member in members)

    def merge_map(self, original: Map | None, patch: Map, definition: str) -> Map:
        if DIRECTIVE in patch:
            directive = patch[DIRECTIVE]
            if directive == "replace":
                self._use(patch, DIRECTIVE)
                return {member: value for member, value in patch.items() if member != DIRECTIVE}
            if directive == "delete":
                return {}
            raise errors.bad_patch_type(directive, patch)
        merged = _retained(original or {}, patch)
        self._use(patch, RETAIN_KEYS)
        done = {RETAIN_KEYS}
        for name, wanted in patch.items():
            if name.startswith(_ORDER):
                done |= {name, self._set_order(merged, patch, name, wanted, definition)}
                self._use(patch, *done)
        for name, value in patch.items():
            if name in done:
                continue
            if name.startswith(_DELETE):
                self._delete_primitives(merged, name, value, definition)
            else:
                self._merge_member(merged, name, value, definition)
        return merged

    def _merge_member(self, merged: Map, member: str, value: Any, definition: str) -> None:
        if value is None:
            merged.pop(member, None)
            return
        current = merged.get(member)
        if current is None or type(current) is not type(value) or not isinstance(value, dict | list):
            self._discard_nulls(value)
            if _is_kept(value):
                merged[member] = _taken(value)
            else:
                merged.pop(member, None)
            return
        field = self.schema.lookup(definition, member)
        if field is PLAIN and definition == _RAW:
            raise errors.no_such_field(definition, member)
        if isinstance(value, dict):
            merged[member] = value if field.replaces else self.merge_map(current, value, field.definition)
        elif field.merges:
            merged[member] = self._merge_list(current, value, field)
        else:
            merged[member] = value

    def _discard_nulls(self, value: Any) -> None:
        """Where there was nothing before, nulls say nothing."""
        if self.used is None:
            return
        if isinstance(value, dict):
            self._use(value, *(member for member, child in value.items() if child is None))
        for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            self._discard_nulls(child)

    def _merge_list(self, original: list[Any], patch: list[Any], field: FieldPatch) -> list[Any]:
        if not original and not patch:
            return original
        if _element_type(original, patch) is not dict:
            merged = list(dict.fromkeys((*original, *patch)))
            return element_order.patch_first(merged, patch, original, "")
        if not field.merge_key:
            raise errors.failed(f"cannot merge lists without merge key for {errors.go_name(field.definition)}")
        return self._merge_elements(original, patch, field)

    def _merge_elements(self, original: list[Map], patch: list[Map], field: FieldPatch) -> list[Map]:
        """Merge lists of objects by key. Elements with a directive act on the original first and are not merged."""
        key = field.merge_key
        kept, plain, replace = list(original), [], False
        for element in patch:
            if DIRECTIVE not in element:
                plain.append(element)
                continue
            directive = element[DIRECTIVE]
            if directive == "delete":
                wanted = errors.merge_key(element, key)
                kept = [each for each in kept if key not in each or each[key] != wanted]
            elif directive == "replace":
                replace = True
            elif directive == "merge":
                raise errors.failed("merging lists cannot yet be specified in the patch")
            else:
                raise errors.bad_patch_type(directive, element)
        for element in plain:
            errors.merge_key(element, key)
        if replace:
            return plain
        merged = list(kept)
        for element in plain:
            at = next((i for i, each in enumerate(merged) if key in each and each[key] == element[key]), None)
            if at is None:
                merged.append(element)  # as it is: what is no field of it goes when the whole is decoded
            else:
                merged[at] = self.merge_map(merged[at], element, field.definition)
        return element_order.patch_first(merged, plain, kept, key)

    def _set_order(self, merged: Map, patch: Map, name: str, wanted: Any, definition: str) -> str:
        """Merge a list and bring it in the wanted order; the list's name, which is done with."""
        wanted = errors.want_list(wanted)
        marker, slash, member = name.partition("/")
        if not slash or marker != _ORDER:
            raise _bad_format("setElementOrder list")
        before = errors.want_list(merged[member]) if member in merged else None
        patched = errors.want_list(patch[member]) if member in patch else None
        field = self.schema.lookup(definition, member)
        if field is PLAIN and definition:
            raise errors.no_such_field(definition, member)
        key = field.merge_key
        element_order.check(patched or [], wanted, key)
        if patched is None and before is None:
            return member
        if patched is None or before is None:
            found = before if patched is None else _taken(patched)
        else:
            found = self._merge_list(before, patched, field) if field.merges else patched
        if key and found:
            for at, element in enumerate(wanted):
                if not isinstance(element, dict):
                    raise errors.failed(f"value for key {at} is not a map")
                errors.merge_key(element, key)
        merged[member] = element_order.patch_first(list(found or ()), wanted, before or [], key)
        return member

    def _delete_primitives(self, merged: Map, name: str, values: Any, definition: str) -> None:
        marker, slash, member = name.partition("/")
        if not slash or marker != _DELETE:
            raise _bad_format("primitive list")
        if definition == _RAW:
            raise errors.no_such_field(definition, member)
        if values is None:
            merged.pop(member, None)
            return
        current = merged.get(member)
        if not isinstance(values, list) or not isinstance(current, list) or not (current or values):
            return  # upstream looks at nothing else either
        if _element_type(current, values) is not dict:
            merged[member] = [item for item in current if item not in values]
            return
        field = self.schema.lookup(definition, member)
        if not field.merge_key:
            raise errors.failed("cannot merge lists without merge key for struct")
        merged[member] = self._merge_elements(current, values, field)


def _element_type(original: list[Any], patch: list[Any]) -> type:
    """What all elements are. Raises StatusError for lists of lists, and where elements differ."""
    elements = [*original, *patch]
    first = type(elements[0])
    if first is list:
        raise unprocessable("lists of lists are not supported")
    if elements[0] is None:
        raise bad_request("list element types are not identical: a list holds null")
    if any(type(element) is not first for element in elements):
        raise errors.failed(f"list element types are not identical: {printed([original, patch])}")
    return first


def _is_kept(value: Any) -> bool:
    return not (isinstance(value, dict) and DIRECTIVE in value)


def _taken(value: Any) -> Any:
    """What there was nothing to merge with: maps lose their nulls, and maps with a directive go altogether."""
    if isinstance(value, dict):
        return {member: _taken(one) for member, one in value.items() if one is not None and _is_kept(one)}
    if isinstance(value, list):
        return [_taken(one) for one in value if _is_kept(one)]
    return value


def _is_directive(member: str) -> bool:
    return member in (DIRECTIVE, RETAIN_KEYS) or member.startswith((_DELETE, _ORDER))


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
