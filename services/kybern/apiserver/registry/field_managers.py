"""metadata.managedFields on ordinary writes: kept up to date for objects that have been applied at least once.

Who only ever uses create, update and patch pays nothing; the first apply finds everything managed by
`before-first-apply`.
"""

from functools import lru_cache
from typing import Any

from kybern.apiserver.core.managed_fields.managers import (
    APPLY,
    BEFORE,
    UPDATE,
    Kind,
    Manager,
    Managers,
    read,
    updated,
    write,
)
from kybern.apiserver.core.managed_fields.paths import Path, Types
from kybern.apiserver.registry.request import Request
from kybern.kube import meta, schema

Object = dict[str, Any]
GVK = tuple[str, str, str]
STATUS = ("f:status",)
LONGEST_NAME = 128


@lru_cache(maxsize=512)
def kind_of(gvk: GVK) -> Kind:
    """Schema facts of a built-in kind; none for a kind without a definition."""
    loaded = schema.load()
    return Kind(loaded.definition(gvk) or {}, Types(loaded.definitions))


def manager(request: Request, operation: str) -> Manager:
    """The writer of a request: its fieldManager, else the first word of its user agent."""
    name = request.field_manager or request.user_agent.partition("/")[0] or "unknown"
    api_version = request.served.stored.api_version
    now = meta.format_time(request.now)
    return Manager(name[:LONGEST_NAME], operation, api_version, request.subresource, now)


def managers_of(request: Request, live: Object) -> Managers:
    """Those on record, or one that stands for all writers before the first apply."""
    found = read(live)
    if found or live["metadata"].get("managedFields"):
        return found
    paths = frozenset(kind_of(request.served.stored.gvk).leaves(live))
    return {Manager(BEFORE, UPDATE, request.served.stored.api_version): paths}


def own_part(request: Request, paths: set[Path] | frozenset[Path]) -> set[Path]:
    """What the request's endpoint can change: status belongs to its subresource."""
    if "status" not in request.served.stored.subresources:
        return set(paths)
    on_status = request.subresource == "status"
    return {path for path in paths if (path[:1] == STATUS) is on_status}


def track_update(request: Request, new: Object, old: Object) -> None:
    """Record who changed what, if the object is tracked."""
    given, before = new["metadata"].get("managedFields"), old["metadata"].get("managedFields")
    if before and given in ([], [{}]):  # upstream's way to start over
        new["metadata"].pop("managedFields", None)
        return
    if not before:
        new["metadata"].pop("managedFields", None)
        return
    kind = kind_of(request.served.stored.gvk)
    managers = updated(read(old), manager(request, UPDATE), kind.leaves(old), kind.leaves(new))
    write(new, managers)


__all__ = ["APPLY", "kind_of", "manager", "managers_of", "own_part", "track_update", "write"]
