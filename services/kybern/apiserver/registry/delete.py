"""Deleting an object of any kind: preconditions, finalizers, grace; what is left to others keeps the object.

The garbage collector acts on the `orphan` and `foregroundDeletion` finalizers set here; the node agent confirms the
end of a pod with grace 0.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from kybern.apiserver.core import encoding
from kybern.apiserver.registry import commit, unreadable
from kybern.apiserver.registry.commit import Stale
from kybern.apiserver.registry.request import Request
from kybern.apiserver.storage.entry import Entry
from kybern.kube import meta, recognize
from kybern.kube.field import invalid as field_invalid
from kybern.kube.field import not_supported
from kybern.kube.status import bad_request, conflict, invalid, success

Object = dict[str, Any]
ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
POLICIES = ("Foreground", "Background", "Orphan")
ATTEMPTS = 20


@dataclass(frozen=True)
class DeleteOptions:
    """What a client says about how to delete."""

    uid: str | None = None  # an empty one is asked for too, and is nobody's
    resource_version: str | None = None
    grace: int | None = None
    policy: str = ""
    orphan: bool | None = None  # the old way to say the policy
    dry_run: bool = False
    ignore_unreadable: bool = False


@dataclass(frozen=True)
class Deletion:
    """What to do with the object now."""

    remove: bool
    replacement: Object = field(
        default_factory=dict
    )  # what it becomes, if it changes; of what is removed: its last form


def read_options(data: bytes) -> DeleteOptions:
    """DeleteOptions from JSON; empty is all defaults. Raises StatusError (400, 422)."""
    if not data:
        return DeleteOptions()
    try:
        raw = recognize.typed(data)
    except recognize.UnrecognizedError as error:
        raise bad_request(str(error)) from None
    _check_types(raw)
    errors = []
    policy, orphan, grace = raw.get("propagationPolicy"), raw.get("orphanDependents"), raw.get("gracePeriodSeconds")
    if policy is not None and orphan is not None:
        errors.append(
            field_invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set")
        )
    if policy is not None and policy not in POLICIES:
        errors.append(not_supported("propagationPolicy", policy, (*POLICIES, "nil"), in_order=True))
    dry_run = [each or "" for each in raw.get("dryRun") or ()]
    if any(each != "All" for each in dry_run):
        errors.append(not_supported("dryRun", dry_run, ("All",)))
    if errors:
        raise invalid("meta.k8s.io", "DeleteOptions", "", errors)
    if policy is None and orphan is not None:
        policy = "Orphan" if orphan else "Background"
    conditions = raw.get("preconditions") or {}
    grace = None if grace is None else max(grace, 1) if grace < 0 else grace
    return DeleteOptions(
        conditions.get("uid"),
        conditions.get("resourceVersion"),
        grace,
        policy or "",
        orphan,
        bool(dry_run),
        raw.get("ignoreStoreReadErrorWithClusterBreakingPotential") is True,
    )


_OPTIONS = {
    "gracePeriodSeconds": (int, "int64"),
    "orphanDependents": (bool, "bool"),
    "propagationPolicy": (str, "v1.DeletionPropagation"),
    "dryRun": (list, "[]string"),
    "preconditions": (dict, "v1.Preconditions"),
    "ignoreStoreReadErrorWithClusterBreakingPotential": (bool, "bool"),
}


_PRECONDITIONS = {"uid": (str, "types.UID"), "resourceVersion": (str, "string")}


def _check_types(raw: Object) -> None:
    """Raises StatusError (400)."""
    for name, value in raw.items():
        _check_type(f"DeleteOptions.{name}", value, *_OPTIONS.get(name, (None, "")))
        if name == "dryRun":
            for each in value or ():
                _check_type("DeleteOptions.dryRun", each, str, "string")
        elif name == "preconditions":
            for member, each in (value or {}).items():
                _check_type(f"Preconditions.preconditions.{member}", each, *_PRECONDITIONS.get(member, (None, "")))


def _check_type(name: str, value: Any, wanted: type | None, shown: str) -> None:
    fits = value < 1 << 63 if type(value) is int else True
    if wanted is None or value is None or (type(value) is wanted and fits):
        return
    kind = f"number {value}" if wanted is int and type(value) in (float, int) else recognize.go_type(value)
    raise bad_request(f"json: cannot unmarshal {kind} into Go struct field {name} of type {shown}")


async def delete(request: Request, options: DeleteOptions, admitted: bool = False) -> tuple[bytes, bool]:
    """(object or Status, whether it is gone). `admitted`: admission has seen the request."""
    request.dry_run = request.dry_run or options.dry_run
    request.deletion = options
    for _ in range(ATTEMPTS):
        entry = request.served.storage.get(request.namespace, request.name)
        if entry is None:
            if options.ignore_unreadable and await unreadable.delete_unreadable(request):
                details = {"name": request.name, "group": request.group, "kind": request.resource}
                return orjson.dumps(success(**details)), True
            raise unreadable.missing(request.served, request.namespace, request.name)
        if request.served.conversion is not None:
            entry = await request.served.conversion.entry(entry, request.served.info.api_version)
        old = entry.decode()
        check_preconditions(request, options, entry)
        if request.served.strategy.validate_delete is not None:
            request.served.strategy.validate_delete(request, old)
        if not admitted:
            await request.server.admission.delete(request, old)
        if request.served.strategy.prepare_delete is not None:
            request.served.strategy.prepare_delete(request, old)
        decided = decide_deletion(request, old, options, request.now)
        try:
            return await _carry_out(request, entry, old, decided)
        except Stale:
            continue
    raise conflict(request.group, request.resource, request.name)


async def _carry_out(request: Request, entry: Entry, old: Object, decided: Deletion) -> tuple[bytes, bool]:
    present = request.served.present
    if decided.remove:
        await commit.remove(request, entry)
        if not request.dry_run:
            request.server.gone(request, old)
        if request.served.strategy.returns_deleted:
            return present(_last_form(request, entry, decided.replacement)), True
        details = {"name": request.name, "group": request.group, "kind": request.resource, "uid": entry.uid}
        return orjson.dumps(success(**details)), True
    if decided.replacement:
        decided.replacement["metadata"].pop("resourceVersion", None)
        return present(await commit.put(request, decided.replacement, entry.revision)), False
    return present(entry.data), False


def _last_form(request: Request, entry: Entry, marked: Object) -> bytes:
    """What is gone; of kinds with grace marked as deleted, if only in the answer."""
    if request.served.strategy.grace is None:
        return entry.data
    marked["metadata"].pop("resourceVersion", None)
    return encoding.splice(encoding.encode(marked), request.served.storage.head, entry.revision)


def check_preconditions(request: Request, options: DeleteOptions, entry: Entry) -> None:
    """Raises StatusError (409)."""
    why = ""
    if options.uid is not None and options.uid != entry.uid:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({entry.uid}). "
            "The object might have been deleted and then recreated"
        )
    elif options.resource_version is not None and options.resource_version != str(entry.revision):
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the ResourceVersion "
            f"in record ({entry.revision}). The object might have been modified"
        )
    if why:
        raise conflict(request.group, request.served.stored.kind, request.name, why)


def decide_deletion(request: Request, old: Object, options: DeleteOptions, now: datetime) -> Deletion:
    """Remove it, mark it, or leave it as it is (already marked)."""
    new: Object = {**old, "metadata": dict(old["metadata"])}
    metadata = new["metadata"]
    finalizers, policy = metadata.get("finalizers") or [], options.policy
    if _waits(new) and options.orphan is False:  # in the old way of a namespace
        policy = "Foreground"
    if not (_waits(new) and metadata.get("deletionTimestamp")):
        finalizers = _finalizers(request, finalizers, policy)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    graceful = request.served.strategy.grace
    grace = graceful(old, options.grace) if graceful is not None else 0
    if grace == 0 and not finalizers and not _waits(new):
        if graceful is not None:
            _mark(metadata, grace, now)
        return Deletion(True, new)
    _mark(metadata, grace, now)
    if request.served.strategy.marks_time_alone:
        _unmark(metadata, old["metadata"])
    if _waits(new):
        metadata.pop("deletionGracePeriodSeconds", None)
        new["status"] = {**(new.get("status") or {}), "phase": "Terminating"}
    return Deletion(False, {} if new == old else new)


def _mark(metadata: Object, grace: int, now: datetime) -> None:
    """Set or shorten the time of deletion; a mark is never moved further away."""
    if metadata.get("deletionTimestamp"):
        before = metadata.get("deletionGracePeriodSeconds") or 0
        if grace >= before:
            return
        marked = meta.parse_time(metadata["deletionTimestamp"])
        start = _later(marked or now, -before)
        metadata["deletionTimestamp"] = meta.format_time(_later(start, grace))
    else:
        metadata["deletionTimestamp"] = meta.format_time(_later(now, grace))
        if metadata.get("generation"):
            metadata["generation"] += 1
    metadata["deletionGracePeriodSeconds"] = grace


def _unmark(metadata: Object, before: Object) -> None:
    """Leave the time alone of a first mark."""
    if before.get("deletionTimestamp"):
        metadata.setdefault("deletionGracePeriodSeconds", 0)
        return
    metadata.pop("deletionGracePeriodSeconds")
    if before.get("generation"):
        metadata["generation"] = before["generation"]


def _later(start: datetime, seconds: int) -> datetime:
    """A grace period of any length: times end with the year 9999."""
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=start.tzinfo) if seconds > 0 else start


def _waits(obj: Object) -> bool:
    """Whether a namespace's own finalizers keep it."""
    return obj["kind"] == "Namespace" and bool((obj.get("spec") or {}).get("finalizers"))


def _finalizers(request: Request, have: list[str], policy: str) -> list[str]:
    """The finalizers after the policy; without one, those that are there decide, then the kind's default."""
    if not policy:
        if ORPHAN in have or FOREGROUND in have:
            return have
        policy = "Orphan" if request.served.strategy.orphans_by_default else "Background"
    wanted = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(policy)
    kept = [name for name in have if name == wanted or name not in (ORPHAN, FOREGROUND)]
    return kept if wanted is None or wanted in kept else [*kept, wanted]


def is_finished(request: Request, obj: Object) -> bool:
    """Whether an update took away the last thing that a marked object waited for."""
    metadata = obj["metadata"]
    return (
        bool(metadata.get("deletionTimestamp"))
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
        and not _waits(obj)
    )
