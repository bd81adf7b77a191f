"""Merging: an applied configuration laid over the live object, and fields taken out that are no longer applied."""

from collections.abc import Iterator
from typing import Any

from kybern.kube.managed_fields.field_set import DOT, FieldSet, difference
from kybern.kube.managed_fields.types import LIST, MAP, Type, list_element
from kybern.kube.managed_fields.walk import field_set

Object = dict[str, Any]


def merge(of: Type, live: Any, config: Any) -> Any:
    """The live value with everything the configuration says. Arguments are left alone; parts are shared."""
    if of.granular and live:
        if of.shape == MAP and type(live) is dict:
            if config is None:
                return live
            if type(config) is dict:
                return _merge_map(of, live, config)
        elif of.shape == LIST and type(live) is list:
            if config is None:
                return live
            if type(config) is list:
                return _merge_list(of, live, config)
    return config


def _merge_map(of: Type, live: Object, config: Object) -> Object:
    merged = dict(live)
    fields = of.fields
    for name, value in config.items():
        merged[name] = merge(fields.get(name) or of.element, live[name], value) if name in live else value
    return merged


def _merge_list(of: Type, live: list[Any], config: list[Any]) -> list[Any]:
    """Items in the order of the configuration; items only the live list has keep their place among them.

    A live item that stands before the next common one is passed by: the configuration says where it goes. Items that
    the live list has twice are replaced by the configuration's, or kept if it has none.
    """
    live_parts = [list_element(of, item) for item in live]
    parts = [list_element(of, item) for item in config]
    once: dict[str, Any] = {}
    for part, item in zip(live_parts, live, strict=True):
        once[part] = None if part in once else item
    applied = set(parts)
    common = [part for part in parts if part in once]
    out: list[Any] = []
    at = taken = 0
    for part, item in zip(parts, config, strict=True):
        while at < len(live) and live_parts[at] != part:
            mine = live_parts[at]
            if mine not in applied:
                out.append(live[at])
            elif taken < len(common) and mine == common[taken]:
                break
            at += 1
        if at < len(live) and live_parts[at] == part:
            at += 1
        if taken < len(common) and common[taken] == part:
            taken += 1
        out.append(merge(of.element, once.get(part), item))
    out += [item for part, item in zip(live_parts[at:], live[at:], strict=True) if part not in applied]
    return out


def prune(of: Type, merged: Object, last: FieldSet, owned: FieldSet) -> Object:
    """`merged` without what the manager applied `last` time, unless it is `owned` by somebody now.

    As upstream: first everything goes that lies in what was applied and is not owned; of that, what was applied itself
    is gone for good and the rest comes back. So an entry goes with all that lies in it if nobody owns the entry, and a
    list goes if nobody owns an item. What is emptied stays, empty.
    """
    if not difference(last, owned):
        return merged
    left: Object = leave_owned(of, merged, last, owned, False)
    gone: Object = take(of, merged, last, field_set(of, merged), field_set(of, left))
    return gone


def _is_member(node: FieldSet | None, declared: bool) -> bool:
    """Whether a path is in a set; a struct field is if anything below it is."""
    return node is not None and (declared or not node or DOT in node)


def _parts(of: Type, value: Any) -> Iterator[tuple[str, str, Any, Type, bool]]:
    """(path element, member, value, type, whether it is a declared field) of each part of a granular value."""
    if type(value) is dict:
        for name, child in value.items():
            field = of.fields.get(name)
            yield "f:" + name, name, child, field or of.element, field is not None
    else:
        for item in value:
            yield list_element(of, item), "", item, of.element, False


def _has_parts(of: Type, value: Any) -> bool:
    return of.granular and ((of.shape == MAP and type(value) is dict) or (of.shape == LIST and type(value) is list))


def _rebuilt(value: Any, parts: list[tuple[str, Any]]) -> Any:
    return dict(parts) if type(value) is dict else [item for _, item in parts]


def leave_owned(of: Type, value: Any, last: FieldSet, owned: FieldSet, under: bool) -> Any:
    """Without what lies in `last` and is not in `owned`."""
    kept: list[tuple[str, Any]] = []
    for part, name, child, inner, declared in _parts(of, value):
        mine, theirs = last.get(part), owned.get(part)
        inside = under or _is_member(mine, declared)
        nothing = declared and not child and type(child) is list and inner.granular
        if inside and not _is_member(theirs, declared) and not nothing:
            continue
        if (inside or mine) and _has_parts(inner, child):
            child = leave_owned(inner, child, mine or {}, theirs or {}, inside)
        kept.append((name, child))
    return _rebuilt(value, kept)


def take(of: Type, value: Any, last: FieldSet, whole: FieldSet, left: FieldSet) -> Any:
    """Without what is in `last`, and in the set of the whole object but not in that of what is left."""
    kept: list[tuple[str, Any]] = []
    for part, name, child, inner, declared in _parts(of, value):
        mine, there, here = last.get(part), whole.get(part), left.get(part)
        if _is_member(mine, declared) and _is_member(there, declared) and not _is_member(here, declared):
            continue
        if mine and _has_parts(inner, child):
            child = take(inner, child, mine, there or {}, here or {})
        kept.append((name, child))
    return _rebuilt(value, kept)
