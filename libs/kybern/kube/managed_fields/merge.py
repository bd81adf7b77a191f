"""Merging: an applied configuration laid over the live object, and fields taken out that are no longer applied."""

from typing import Any

from kybern.kube.managed_fields.field_set import DOT, FieldSet
from kybern.kube.managed_fields.types import LIST, MAP, Type, list_element

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

    What lies in an entry goes with it if nobody owns the entry itself.
    """
    return _prune(of, merged, last, owned, False, False) if last else merged


def _prune(of: Type, value: Any, last: FieldSet, owned: FieldSet, under: bool, doomed: bool) -> Any:
    if type(value) is dict and of.shape == MAP and of.granular:
        kept: Object = {}
        fields = of.fields
        for name, child in value.items():
            field = fields.get(name)
            out = _part(of, field, child, "f:" + name, last, owned, under, doomed)
            if out is not _GONE:
                kept[name] = out
        return kept
    if type(value) is list and of.shape == LIST and of.granular:
        items = (_part(of, None, item, list_element(of, item), last, owned, under, doomed) for item in value)
        return [item for item in items if item is not _GONE]
    return value


_GONE = object()


def _part(
    of: Type,
    field: Type | None,
    child: Any,
    part: str,
    last: FieldSet,
    owned: FieldSet,
    under: bool,
    doomed: bool,
) -> Any:
    """One part of a map or list; `doomed` if it or something it lies in was applied and is owned by nobody."""
    below = last.get(part)
    if below is None:
        return child
    theirs = owned.get(part)
    applied = field is not None or not below or DOT in below
    mine = theirs is not None and (field is not None or not theirs or DOT in theirs)
    under = under or applied
    doomed = doomed or (under and not mine)
    if applied and doomed:
        return _GONE
    if not below:
        return child
    rest = _prune(field or of.element, child, below, theirs or {}, under, doomed)
    return _GONE if not rest and child and field is not None else rest
