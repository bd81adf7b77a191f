"""Pruning an apply when managers have written in versions of other shapes: each judges in the version it wrote in.

As upstream: what was applied last time goes in the version it was applied in; what managers of other versions own comes
back in theirs; what has gone only because its parent has comes back in the first again.
"""

from collections.abc import Mapping
from typing import Any

from kybern.kube.managed_fields.field_set import FieldSet, union
from kybern.kube.managed_fields.kind import Kind
from kybern.kube.managed_fields.managers import Managers, Owned
from kybern.kube.managed_fields.merge import leave_owned, take
from kybern.kube.managed_fields.types import Type
from kybern.kube.managed_fields.walk import field_set

Object = dict[str, Any]


def of_one_shape(kind: Kind, managers: Managers, last: Owned) -> bool:
    """Whether every version that counts has the shape of the request's."""
    versions = {owned.api_version for owned in (*managers.values(), last)} - {kind.api_version}
    return all(lens is None or lens.convert is None for lens in map(kind.lens, versions))


def owned_by_version(managers: Managers) -> Mapping[str, FieldSet]:
    """What all managers own together, by the version they wrote in."""
    found: dict[str, FieldSet] = {}
    for owned in managers.values():
        found[owned.api_version] = union(found.get(owned.api_version, {}), owned.fields)
    return found


def prune_across(kind: Kind, merged: Object, managers: Managers, last: Owned) -> Object:
    """`merged`, in the version of `kind`, without what was applied last time and nobody owns now."""
    first = last.api_version
    of = _type(kind, first)
    if of is None:
        return merged
    owned = owned_by_version(managers)
    whole = _seen(kind, merged, first)
    left: Object = leave_owned(of, whole, last.fields, owned.get(first, {}), False)
    for version in sorted(owned.keys() - {first}):
        other = _type(kind, version)
        if other is not None:
            there = _seen(kind, whole, version)
            everything, kept = field_set(other, there), field_set(other, _seen(kind, left, version))
            left = take(other, there, everything, everything, union(kept, owned[version]))
    left = take(of, whole, last.fields, field_set(of, whole), field_set(of, _seen(kind, left, first)))
    return _seen(kind, left, kind.api_version)


def _type(kind: Kind, api_version: str) -> Type | None:
    if api_version == kind.api_version:
        return kind.type
    lens = kind.lens(api_version)
    return lens.type if lens is not None else None


def _seen(kind: Kind, obj: Object, api_version: str) -> Object:
    """The object in a version that is served. Raises what the conversion raises."""
    if obj.get("apiVersion") == api_version:
        return obj
    if api_version == kind.api_version:
        convert = kind.back
    else:
        lens = kind.lens(api_version)
        convert = lens.convert if lens is not None else None
    return convert(obj) if convert is not None else {**obj, "apiVersion": api_version}
