"""Status of a Job: counts, indexes and times that fit each other, and what a finished Job has to say."""

from kybern.kube.conditions import find_condition
from kybern.kube.field import OMITTED, ErrorType, FieldError, duplicate, invalid, required
from kybern.kube.meta import parse_time
from kybern.kube.validation.fields import Errors, Object, child, items, non_negative, same
from kybern.kube.validation.job_policies import IndexesError, read_indexes

_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")


def validate_job_status_update(obj: Object, old: Object) -> Errors:
    spec, status, before = child(obj, "spec"), child(obj, "status"), child(old, "status")
    for name in _COUNTS:
        yield from non_negative(status, name, "status")
    yield from _uncounted(child(status, "uncountedTerminatedPods"), "status.uncountedTerminatedPods")
    yield from _ready(status)
    yield from _finished(spec, status, before)
    yield from _indexes(spec, status, before)


def _uncounted(pods: Object, path: str) -> Errors:
    seen: set[str] = set()
    for name in ("succeeded", "failed"):
        for index, uid in enumerate(items(pods, name)):
            if not uid:
                yield invalid(f"{path}.{name}[{index}]", uid, "must not be empty")
            elif uid in seen:
                yield duplicate(f"{path}.{name}[{index}]", uid)
            seen.add(uid)


def _ready(status: Object) -> Errors:
    ready = status.get("ready")
    if ready is not None and ready > (status.get("active") or 0):
        yield invalid("status.ready", ready, "cannot set more ready pods than active")


def _is(status: Object, kind: str) -> bool:
    condition = find_condition(items(status, "conditions"), kind)
    return condition is not None and condition.get("status") == "True"


def _problem(detail: str) -> FieldError:
    return FieldError(ErrorType.INVALID, "status.conditions", OMITTED, detail)


def _finished(spec: Object, status: Object, before: Object) -> Errors:
    complete, failed, changed = _is(status, "Complete"), _is(status, "Failed"), not same(status, before)
    done, start = status.get("completionTime"), status.get("startTime")
    if complete and failed:
        yield _problem("cannot set Complete=True and Failed=true conditions")
    if complete and changed and not done:
        yield required("status.completionTime", "completionTime is required for Complete jobs")
    if complete and not _is(before, "Complete") and not _is(status, "SuccessCriteriaMet"):
        yield _problem("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
    if (complete or failed) and not start:
        yield required("status.startTime", "startTime is required for finished job")
    if (complete or failed) and (status.get("active") or 0) > 0:
        yield invalid("status.active", status["active"], "active>0 is invalid for finished job")
    if done and not complete:
        yield invalid(
            "status.completionTime", done, "cannot set completionTime when there is no Complete=True condition"
        )
    if done and start and _earlier(done, start):
        yield invalid("status.completionTime", done, "must be equal to or after `startTime`")
    if before.get("startTime") and not start and not spec.get("suspend"):
        yield required("status.startTime", "startTime cannot be removed for unsuspended job")
    if complete and spec.get("successPolicy") is not None and not _is(status, "SuccessCriteriaMet"):
        yield _problem("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True")


def _earlier(one: str, other: str) -> bool:
    first, second = parse_time(one), parse_time(other)
    return first is not None and second is not None and first < second


def _indexes(spec: Object, status: Object, before: Object) -> Errors:
    """Lists of indexes can be read, and no index is in both."""
    completions, found = spec.get("completions") or 0, dict[str, set[int]]()
    for name in ("completedIndexes", "failedIndexes"):
        listed = status.get(name)
        if not listed:
            continue
        if spec.get("completionMode") != "Indexed":
            yield invalid(f"status.{name}", listed, f"cannot set {name} for non-indexed job")
            continue
        try:
            found[name] = read_indexes(listed, completions)
        except IndexesError as error:
            if listed != before.get(name):
                yield invalid(f"status.{name}", listed, f"error parsing {name}: {error}")
    both = found.get("completedIndexes", set()) & found.get("failedIndexes", set())
    if both:
        detail = f"failedIndexes and completedIndexes overlap at index: {min(both)}"
        yield invalid("status.failedIndexes", status["failedIndexes"], detail)
