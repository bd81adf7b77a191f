"""Walking objects by their types: which paths an object has, and which of them differ between two objects."""

from typing import Any

from kybern.kube.managed_fields.field_set import DOT, FieldSet, closed
from kybern.kube.managed_fields.types import LIST, MAP, SCALAR, Type, list_element

Object = dict[str, Any]
_ABSENT = object()
_MAPS, _LISTS = (dict, type(None)), (list, type(None))


def field_set(of: Type, obj: Object) -> FieldSet:
    """The paths an applied configuration owns: leaves, and the entries of maps and lists.

    A struct field is not itself owned unless it is empty; an empty granular list is not owned at all.
    """
    return _owned(of, obj, True) or {}


def _owned(of: Type, value: Any, declared: bool) -> FieldSet | None:
    if type(value) is dict and of.granular and of.shape == MAP and value:
        out: FieldSet = {} if declared else {DOT: {}}
        fields = of.fields
        for name, child in value.items():
            field = fields.get(name)
            node = _owned(of.element if field is None else field, child, field is not None)
            if node is not None:
                out["f:" + name] = node
        return closed(out) or (None if declared else {})
    if type(value) is list and of.granular and of.shape == LIST:
        out = {} if declared else {DOT: {}}
        for part, item, _ in elements(of, value):
            out[part] = {} if item is _ABSENT else _owned(of.element, item, False) or {}
        return closed(out) or (None if declared else {})
    return {}


def reconciled(of: Type, fields: FieldSet) -> FieldSet:
    """A set in the shape of a type that may since have become atomic: who owned a part owns the whole."""
    if not fields or of.shape == SCALAR:
        return fields
    if not of.granular:
        return {}
    out: FieldSet = {}
    for part, inner in fields.items():
        declared = of.fields.get(part[2:]) if of.shape == MAP else None
        out[part] = inner if part == DOT else reconciled(declared or of.element, inner)
    return out


def elements(of: Type, value: list[Any]) -> list[tuple[str, Any, int]]:
    """(path element, item, index) of each item; items that share an element stand as one without a value."""
    found: dict[str, tuple[str, Any, int]] = {}
    for index, item in enumerate(value):
        part = list_element(of, item)
        found[part] = (part, _ABSENT if part in found else item, index)
    return list(found.values())


def compare(of: Type, old: Object, new: Object, *, tidy: bool = False) -> tuple[FieldSet, FieldSet]:
    """(paths that `new` has and `old` has not or otherwise, paths that only `old` has).

    `tidy`: `new` counts as it will be stored: without empty lists and maps in the fields of built-in structs, but with
    those structs that are written even when empty. `old` has been stored.
    """
    return _Comparison(tidy).maps(of, old, new)


class _Comparison:
    """One comparison. A pair of nodes is (what has changed or come, what has gone); None stands for no change."""

    def __init__(self, tidy: bool) -> None:
        self.tidy = tidy

    def values(self, of: Type, old: Any, new: Any) -> tuple[FieldSet | None, FieldSet | None]:
        """Two values that differ: ({}, None) if there is nothing below to tell apart, all of both if one has parts."""
        if of.element_is_itself and (old is None or new is None):  # then null is a value like others
            return _whole(of, new), _whole(of, old) or None
        if of.granular and (old or new):
            if of.shape == MAP and type(old) in _MAPS and type(new) in _MAPS:
                changed, removed = self.maps(of, old or {}, new or {})
                return changed or None, removed or None
            if of.shape == LIST and type(old) in _LISTS and type(new) in _LISTS:
                changed, removed = self.lists(of, old or [], new or [])
                return changed or None, removed or None
            return _whole(of, new), _whole(of, old) or None
        return {}, None

    def maps(self, of: Type, old: Object, new: Object) -> tuple[FieldSet, FieldSet]:
        changed: FieldSet = {}
        removed: FieldSet = {}
        fields, always = of.fields, of.always
        omitted = of.omitted if self.tidy else ()
        for name, value in new.items():
            before = old.get(name, _ABSENT)
            if name in omitted:
                if not value:
                    continue
                before = before or _ABSENT
            if before is _ABSENT and name in always:
                before = always[name]
            if before is _ABSENT:
                changed["f:" + name] = _whole(fields.get(name) or of.element, value)
            elif before != value:
                self.put("f:" + name, self.values(fields.get(name) or of.element, before, value), changed, removed)
        for name, value in old.items():
            if name in new and (name not in omitted or new[name] or not value):
                continue
            if name in omitted and not value:
                continue
            if name not in always or not self.tidy:
                removed["f:" + name] = _whole(fields.get(name) or of.element, value)
            elif always[name] != value:
                pair = self.values(fields.get(name) or of.element, value, always[name])
                self.put("f:" + name, pair, changed, removed)
        return changed, removed

    def lists(self, of: Type, old: list[Any], new: list[Any]) -> tuple[FieldSet, FieldSet]:
        changed: FieldSet = {}
        removed: FieldSet = {}
        before = {part: item for part, item, _ in elements(of, old)}
        after = {part: item for part, item, _ in elements(of, new)}
        for part, item in after.items():
            was = before.get(part)
            if part not in before:
                changed[part] = {} if item is _ABSENT else _whole(of.element, item)
            elif item is _ABSENT or was is _ABSENT:
                if _all(of, old, part) != _all(of, new, part):
                    changed[part] = {}
            elif was != item:
                self.put(part, self.values(of.element, was, item), changed, removed)
        for part, item in before.items():
            if part not in after:
                removed[part] = {} if item is _ABSENT else _whole(of.element, item)
        return changed, removed

    @staticmethod
    def put(part: str, pair: tuple[FieldSet | None, FieldSet | None], changed: FieldSet, removed: FieldSet) -> None:
        more, less = pair
        if more is not None:
            changed[part] = more
        if less is not None:
            removed[part] = less


def _all(of: Type, value: list[Any], part: str) -> list[Any]:
    return [item for item in value if list_element(of, item) == part]


def _whole(of: Type, value: Any) -> FieldSet:
    """Every path of a value that is new or gone as a whole, its own included."""
    if type(value) is dict:
        if of.granular and of.shape == MAP and value:
            fields = of.fields
            out: FieldSet = {DOT: {}}
            for name, child in value.items():
                out["f:" + name] = _whole(fields.get(name) or of.element, child)
            return out
    elif type(value) is list and of.granular and of.shape == LIST and value:
        out = {DOT: {}}
        for part, item, _ in elements(of, value):
            out[part] = {} if item is _ABSENT else _whole(of.element, item)
        return out
    return {}
