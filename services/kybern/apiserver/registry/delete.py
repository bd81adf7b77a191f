"""Deleting an object of any kind: preconditions, finalizers, grace; what is left to others keeps the object.

The garbage collector acts on the `orphan` and `foregroundDeletion` finalizers set here; the node agent confirms the
end of a pod with grace 0.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from kybern.apiserver.registry import commit, unreadable
from kybern.apiserver.registry.commit import Stale
from kybern.apiserver.registry.request import Request
from kybern.apiserver.storage.entry import Entry
from kybern.kube import meta
from kybern.kube.field import invalid as field_invalid
from kybern.kube.field import not_supported
from kybern.kube.status import bad_request, conflict, invalid, success

Object = dict[str, Any]
ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
POLICIES = ("Background", "Foreground", "Orphan")
ATTEMPTS = 20


@dataclass(frozen=True)
class DeleteOptions:
    """What a client says about how to delete."""

    uid: str = ""
    resource_version: str = ""
    grace: int | None = None
    policy: str = ""
    dry_run: bool = False
    ignore_unreadable: bool = False


@dataclass(frozen=True)
class Deletion:
    """What to do with the object now."""

    remove: bool
    replacement: Object = field(default_factory=dict)  # if not removed and changed


def read_options(data: bytes) -> DeleteOptions:
    """DeleteOptions from JSON; empty is all defaults. Raises StatusError (400, 422)."""
    if not data:
        return DeleteOptions()
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from None
    if not isinstance(raw, dict):
        raise bad_request("delete options are not an object")
    errors = []
    policy, orphan, grace = raw.get("propagationPolicy"), raw.get("orphanDependents"), raw.get("gracePeriodSeconds")
    if policy is not None and orphan is not None:
        errors.append(
            field_invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set")
        )
    if policy is not None and policy not in POLICIES:
        errors.append(not_supported("propagationPolicy", policy, POLICIES))
    if grace is not None and (isinstance(grace, bool) or not isinstance(grace, int)):
        raise bad_request("DeleteOptions: gracePeriodSeconds is not a number")
    dry_run = raw.get("dryRun") or []
    if dry_run not in ([], ["All"]):
        errors.append(not_supported("dryRun", dry_run, ("All",)))
    if errors:
        raise invalid("meta.k8s.io", "DeleteOptions", "", errors)
    if policy is None and orphan is not None:
        policy = "Orphan" if orphan else "Background"
    conditions = raw.get("preconditions") or {}
    if not isinstance(conditions, dict):
        raise bad_request("DeleteOptions: preconditions is not an object")
    grace = None if grace is None else max(grace, 1) if grace < 0 else grace
    return DeleteOptions(
        conditions.get("uid") or "",
        conditions.get("resourceVersion") or "",
        grace,
        policy or "",
        bool(dry_run),
        raw.get("ignoreStoreReadErrorWithClusterBreakingPotential") is True,
    )


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
            return present(entry.data), True
        details = {"name": request.name, "group": request.group, "kind": request.resource, "uid": entry.uid}
        return orjson.dumps(success(**details)), True
    if decided.replacement:
        decided.replacement["metadata"].pop("resourceVersion", None)
        return present(await commit.put(request, decided.replacement, entry.revision)), False
    return present(entry.data), False


def check_preconditions(request: Request, options: DeleteOptions, entry: Entry) -> None:
    """Raises StatusError (409)."""
    why = ""
    if options.uid and options.uid != entry.uid:
        why = f"Precondition failed: UID in precondition: {options.uid}, UID in object meta: {entry.uid}"
    elif options.resource_version and options.resource_version != str(entry.revision):
        why = (
            f"Precondition failed: ResourceVersion in precondition: {options.resource_version}, "
            f"ResourceVersion in object meta: {entry.revision}"
        )
    if why:
        raise conflict(request.group, request.resource, request.name, why)


def decide_deletion(request: Request, old: Object, options: DeleteOptions, now: datetime) -> Deletion:
    """Remove it, mark it, or leave it as it is (already marked)."""
    new: Object = {**old, "metadata": dict(old["metadata"])}
    metadata = new["metadata"]
    finalizers = _finalizers(request, metadata.get("finalizers") or [], options.policy)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    graceful = request.served.strategy.grace
    grace = graceful(old, options.grace) if graceful is not None else 0
    if grace == 0 and not finalizers and not _waits(new):
        return Deletion(True)
    _mark(metadata, grace, now)
    if _waits(new):
        new["status"] = {**(new.get("status") or {}), "phase": "Terminating"}
    return Deletion(False, {} if new == old else new)


def _mark(metadata: Object, grace: int, now: datetime) -> None:
    """Set or shorten the time of deletion; a mark is never moved further away."""
    if metadata.get("deletionTimestamp"):
        before = metadata.get("deletionGracePeriodSeconds") or 0
        if grace >= before:
            return
        marked = meta.parse_time(metadata["deletionTimestamp"])
        start = (marked or now) - timedelta(seconds=before)
        metadata["deletionTimestamp"] = meta.format_time(_later(start, grace))
    else:
        metadata["deletionTimestamp"] = meta.format_time(_later(now, grace))
        if metadata.get("generation"):
            metadata["generation"] += 1
    metadata["deletionGracePeriodSeconds"] = grace


def _later(start: datetime, seconds: int) -> datetime:
    """A grace period of any length: times end with the year 9999."""
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=start.tzinfo)


def _waits(obj: Object) -> bool:
    """Whether a namespace's own finalizers keep it."""
    return obj["kind"] == "Namespace" and bool((obj.get("spec") or {}).get("finalizers"))


def _finalizers(request: Request, have: list[str], policy: str) -> list[str]:
    """The finalizers after the policy; without one, those that are there decide, then the kind's default."""
    if not policy:
        if ORPHAN in have or FOREGROUND in have:
            return have
        policy = "Orphan" if request.served.strategy.orphans_by_default else "Background"
    kept = [name for name in have if name not in (ORPHAN, FOREGROUND)]
    if policy == "Orphan":
        return [*kept, ORPHAN]
    return [*kept, FOREGROUND] if policy == "Foreground" else kept


def is_finished(request: Request, obj: Object) -> bool:
    """Whether an update took away the last thing that a marked object waited for."""
    metadata = obj["metadata"]
    return (
        bool(metadata.get("deletionTimestamp"))
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
        and not _waits(obj)
    )
