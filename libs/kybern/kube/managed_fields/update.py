"""Updates: what a write that is no apply does to the managers, and what every write does to the others.

The writer owns what it changed; it is taken from everybody else, and what is gone is nobody's.
"""

from typing import Any

from kybern.kube.managed_fields.conflicts import Conflicts
from kybern.kube.managed_fields.field_set import FieldSet, difference, from_paths, intersection, union, without
from kybern.kube.managed_fields.kind import Kind, NoSuchVersion
from kybern.kube.managed_fields.managers import (
    UPDATE,
    ManagedFieldsError,
    Manager,
    Managers,
    Owned,
    cap,
    is_reset,
    manager_of,
    read,
    read_foreign,
    write,
)
from kybern.kube.managed_fields.types import KeylessError
from kybern.kube.managed_fields.validate import check
from kybern.kube.managed_fields.walk import compare, reconciled

Object = dict[str, Any]
Change = tuple[FieldSet, FieldSet]

NOBODYS = frozenset(("apiVersion", "kind"))
NOBODYS_METADATA = frozenset(
    (
        "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
        "managedFields", "resourceVersion",
    )
)  # fmt: skip
STRIPPED = from_paths(
    [
        *((f"f:{name}",) for name in NOBODYS),
        ("f:metadata",),
        *(("f:metadata", f"f:{name}") for name in NOBODYS_METADATA),
    ]
)
"""Fields that no manager ever owns."""


def track_update(kind: Kind, old: Object | None, new: Object, name: str, subresource: str, now: str) -> None:
    """Set `new`'s managedFields as a create (`old` is None) or an update by `name` leaves them. `now` is a `Time`.

    A client may write managedFields itself, but not through a subresource; `[]` or `[{}]` resets them, ones that cannot
    be read are ignored. Objects that are not tracked stay so until they are applied; one that does not fit its type (a
    status may be written together with a spec that nobody looks at) is tracked no more.
    """
    if old is None and "managedFields" not in new["metadata"]:
        if kind.changing and "status" in new and check(kind.type, new, once=False):
            return  # nobody has looked at it, as the status of a new object counts for nothing
        try:
            fields = first_fields(kind, new)
        except KeylessError:
            return
        if fields:
            first = Owned(kind.api_version, fields, now)
            new["metadata"]["managedFields"] = write({manager_name(kind, name, subresource): first})
        return
    known = _known(kind, old, new, subresource)
    try:
        managers = in_shape(kind, known)
    except NoSuchVersion:  # as upstream, which forgets all of them
        new["metadata"].pop("managedFields", None)
        return
    if managers or old is None:
        try:
            updated = managers_after_update(kind, old or {}, new, managers, manager_name(kind, name, subresource), now)
            managers = cap(updated)
        except KeylessError:
            managers = {}
        if kind.changing and old is not None and check(kind.type, new, once=False):
            managers = {}
    entries = write(managers)
    if entries:
        new["metadata"]["managedFields"] = entries
    else:
        new["metadata"].pop("managedFields", None)


def first_fields(kind: Kind, new: Object) -> FieldSet:
    """What the creator of an object owns: all of it that anybody can own."""
    metadata = {name: value for name, value in new["metadata"].items() if name not in NOBODYS_METADATA}
    bare = {name: value for name, value in new.items() if name not in NOBODYS}
    bare["metadata"] = metadata
    found = without(compare(kind.type, {}, bare, tidy=True)[0], kind.reset)
    return difference(found, STRIPPED) if kind.changing else found


def manager_name(kind: Kind, name: str, subresource: str) -> Manager:
    return manager_of(name, UPDATE, kind.api_version, subresource)


def in_shape(kind: Kind, managers: Managers) -> Managers:
    """The managers as the schema has it now. Raises NoSuchVersion."""
    if not kind.changing:
        return managers
    for version in {owned.api_version for owned in managers.values()} - {kind.api_version}:
        kind.lens(version)
    return {who: owned._replace(fields=reconciled(kind.type, owned.fields)) for who, owned in managers.items()}


def _known(kind: Kind, old: Object | None, new: Object, subresource: str) -> Managers:
    given = new["metadata"].get("managedFields")
    before = (old or {"metadata": {}})["metadata"].get("managedFields")
    try:
        if given is not None and not subresource and given != before:
            if is_reset(given) and (given or not kind.changing):  # of a custom resource an empty list says nothing
                return {}
            try:
                managers = read_foreign(given)
            except ManagedFieldsError:
                managers = {}
            if managers:
                return managers
        return read(before)
    except ManagedFieldsError:
        return {}


def managers_after_update(kind: Kind, old: Object, new: Object, managers: Managers, who: Manager, now: str) -> Managers:
    """The managers when `who` has written `new` over `old` (empty for a new object)."""
    versions = Changes(kind, old, new, tidy=True)
    changed, removed = versions.of(kind.api_version) or ({}, {})
    if not changed and not removed:
        return managers
    out = others_after(managers, versions, None, True)
    changed = difference(changed, STRIPPED)
    if changed:
        before = out.get(who)
        out[who] = Owned(kind.api_version, union(before.fields, changed) if before else changed, now)
    return out


class Changes:
    """The change from one object to another in every version that managers have written in."""

    def __init__(self, kind: Kind, old: Object, new: Object, *, tidy: bool = False) -> None:
        self._tidy = tidy
        self._kind, self._old, self._new = kind, bare(old), bare(new)
        self._known: dict[str, Change | None] = {}

    def of(self, api_version: str) -> Change | None:
        """(changed or added, removed) in a version; None if it is not served."""
        if api_version not in self._known:
            self._known[api_version] = self._compute(api_version)
        return self._known[api_version]

    def _compute(self, api_version: str) -> Change | None:
        kind, old, new = self._kind, self._old, self._new
        of = kind.type
        if api_version != kind.api_version:
            lens = kind.lens(api_version)
            if lens is None:
                return None
            if lens.convert is None:
                return self.of(kind.api_version)
            old, new, of = lens.convert(old) if old else {}, lens.convert(new), lens.type
        changed, removed = compare(of, old, new, tidy=self._tidy)
        return without(changed, kind.reset), without(removed, kind.reset)


def bare(obj: Object) -> Object:
    """The object without managedFields, which differ for themselves."""
    metadata = obj.get("metadata")
    if not metadata or "managedFields" not in metadata:
        return obj if metadata is not None else {**obj, "metadata": {}}
    return {**obj, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}


def others_after(managers: Managers, changes: Changes, writer: Manager | None, force: bool) -> Managers:
    """What managers but the writer own after a change. Raises Conflicts unless forced."""
    out: Managers = {}
    contested: dict[Manager, FieldSet] = {}
    for who, owned in managers.items():
        if who == writer:
            out[who] = owned
            continue
        change = changes.of(owned.api_version)
        if change is None:
            continue
        changed, removed = change
        if not force:
            lost = intersection(owned.fields, changed) if changed else {}
            if lost:
                contested[who] = lost
        kept = difference(difference(owned.fields, changed), removed)
        if kept:
            out[who] = owned if kept is owned.fields else owned._replace(fields=kept)
    if contested:
        raise Conflicts(contested)
    return out
