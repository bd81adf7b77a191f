"""Managed fields: who owns which field of an object, and server-side apply on top of it.

    types      the schema compiled to what owning and merging needs: granular or atomic, sets, maps by key
    field_set  sets of field paths in the form of FieldsV1, and their algebra
    walk       the paths of an object; the paths in which two objects differ
    merge      a configuration laid over the live object; fields taken out again
    validate   whether a configuration fits its schema
    managers   metadata.managedFields read and written
    kind       what of a kind an operation needs to know
    update     creates, updates and other patches:  track_update(kind, old, new, manager, subresource, now)
    apply      server-side apply:                   apply(kind, live, config, manager, now, force=...) -> object
    conflicts  the refusal, worded as upstream

Field paths are tuples of FieldsV1's own elements: `f:spec`, `k:{"name":"c"}`, `v:"x"`. Objects are never decoded into
paths when they are equal: the cost of a write follows what it changes.
"""

from kybern.kube.managed_fields.apply import apply, described, gvk_text
from kybern.kube.managed_fields.conflicts import Conflicts
from kybern.kube.managed_fields.field_set import FieldSet, from_paths
from kybern.kube.managed_fields.kind import Kind, Lens, NoSuchVersion
from kybern.kube.managed_fields.managers import (
    ManagedFieldsError,
    Manager,
    Owned,
    name_from_user_agent,
    read,
    same_but_times,
    write,
    wrong_name,
)
from kybern.kube.managed_fields.types import Type, Types, built_in
from kybern.kube.managed_fields.update import track_update
from kybern.kube.managed_fields.validate import check

__all__ = [
    "Conflicts",
    "FieldSet",
    "Kind",
    "Lens",
    "ManagedFieldsError",
    "Manager",
    "NoSuchVersion",
    "Owned",
    "Type",
    "Types",
    "apply",
    "built_in",
    "check",
    "described",
    "from_paths",
    "gvk_text",
    "name_from_user_agent",
    "read",
    "same_but_times",
    "track_update",
    "write",
    "wrong_name",
]
