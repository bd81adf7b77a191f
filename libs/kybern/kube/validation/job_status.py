"""Status of a Job: counts, indexes and times that fit each other, what a finished Job has to say, and what stays said.

A status that stays as it is is not looked at again.
"""

from kybern.kube.conditions import find_condition
from kybern.kube.field import OMITTED, ErrorType, FieldError, Struct, duplicate, invalid, required
from kybern.kube.meta import parse_time
from kybern.kube.validation.fields import IMMUTABLE, Errors, Object, child, items, non_negative
from kybern.kube.validation.job_policies import IndexesError, read_indexes

_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_UNCOUNTED = "status.uncountedTerminatedPods"


def validate_job_status_update(obj: Object, old: Object) -> Errors:
    spec, status, before = child(obj, "spec"), child(obj, "status"), child(old, "status")
    for name in _COUNTS:
        yield from non_negative(status, name, "status")
    yield from _uncounted(child(status, "uncountedTerminatedPods"))
    if status == before:
        return
    yield from _ends(status)
    yield from _finished(spec, status)
    yield from _indexes(spec, status, before)
    yield from _pods(status)
    yield from _success(spec, status)
    yield from _lasting(spec, status, before)


def _uncounted(pods: Object) -> Errors:
    seen: set[str] = set()
    for name in ("succeeded", "failed"):
        for index, uid in enumerate(items(pods, name)):
            if not uid:
                yield invalid(f"{_UNCOUNTED}.{name}[{index}]", uid, "must not be empty")
            elif uid in seen:
                yield duplicate(f"{_UNCOUNTED}.{name}[{index}]", uid)
            seen.add(uid)


def _is(status: Object, kind: str, value: str = "True") -> bool:
    condition = find_condition(items(status, "conditions"), kind)
    return condition is not None and condition.get("status") == value


def _is_finished(status: Object) -> bool:
    return _is(status, "Complete") or _is(status, "Failed")


def _problem(detail: str) -> FieldError:
    return FieldError(ErrorType.INVALID, "status.conditions", OMITTED, detail)


def _ends(status: Object) -> Errors:
    """A Job ends one way, first announced and then done, and a complete one says when."""
    complete, done, start = _is(status, "Complete"), status.get("completionTime"), status.get("startTime")
    if complete and _is(status, "Failed"):
        yield _problem("cannot set Complete=True and Failed=true conditions")
    if complete and _is(status, "FailureTarget"):
        yield _problem("cannot set Complete=True and FailureTarget=true conditions")
    if complete and not done:
        yield required("status.completionTime", "completionTime is required for Complete jobs")
    if done and not complete:
        yield invalid(
            "status.completionTime", done, "cannot set completionTime when there is no Complete=True condition"
        )
    if done and start and _earlier(done, start):
        yield invalid("status.completionTime", done, "must be equal to or after `startTime`")
    for end, announced in (("Failed", "FailureTarget"), ("Complete", "SuccessCriteriaMet")):
        if _is(status, end) and not _is(status, announced):
            yield _problem(f"cannot set {end}=True condition without the {announced}=true condition")


def _earlier(one: str, other: str) -> bool:
    first, second = parse_time(one), parse_time(other)
    return first is not None and second is not None and first < second


def _finished(spec: Object, status: Object) -> Errors:
    """Of a finished Job no pod runs or waits to be counted, and it has started, unless there was nothing to start."""
    if not _is_finished(status):
        return
    if (status.get("active") or 0) > 0:
        yield invalid("status.active", status["active"], "active>0 is invalid for finished job")
    nothing = spec.get("suspend") and spec.get("completions") == 0
    if not status.get("startTime") and not nothing:
        yield required("status.startTime", "startTime is required for finished job")
    pods = child(status, "uncountedTerminatedPods")
    if pods.get("succeeded") or pods.get("failed"):
        shown = Struct(Succeeded=pods.get("succeeded"), Failed=pods.get("failed"))
        yield invalid(_UNCOUNTED, shown, "must be empty for finished job")


def _indexes(spec: Object, status: Object, before: Object) -> Errors:
    """Lists of indexes can be read, and no index is in both."""
    found = dict[str, set[int]]()
    for name in ("completedIndexes", "failedIndexes"):
        listed, is_failed, problem = status.get(name), name == "failedIndexes", ""
        forbidden = is_failed and listed is not None and spec.get("backoffLimitPerIndex") is None
        try:
            found[name] = read_indexes(listed or "", spec.get("completions") or 0)
        except IndexesError as error:
            problem = f"error parsing {name}: {error}"
        if problem and not forbidden and listed != before.get(name):
            yield invalid(f"status.{name}", listed, problem)
        if forbidden:
            yield invalid(
                f"status.{name}", listed, "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
            )
        if not is_failed and listed and spec.get("completionMode") != "Indexed":
            detail = "cannot set non-empty completedIndexes when non-indexed completion mode"
            yield invalid(f"status.{name}", listed, detail)
    both = found.get("completedIndexes", set()) & found.get("failedIndexes", set())
    if both:
        detail = f"failedIndexes and completedIndexes overlap at index: {min(both)}"
        yield invalid("status.failedIndexes", status["failedIndexes"], detail)


def _pods(status: Object) -> Errors:
    terminating, ready = status.get("terminating") or 0, status.get("ready") or 0
    if terminating > 0 and _is_finished(status):
        yield invalid("status.terminating", terminating, "terminating>0 is invalid for finished job")
    if ready > 0 and ready > (status.get("active") or 0):
        yield invalid("status.ready", ready, "cannot set more ready pods than active")


def _success(spec: Object, status: Object) -> Errors:
    met = _is(status, "SuccessCriteriaMet")
    if not met and _is(status, "Complete") and spec.get("successPolicy") is not None:
        yield _problem("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True")
    if met and _is(status, "Failed"):
        yield _problem("cannot set SuccessCriteriaMet=True and Failed=true conditions")
    if met and _is(status, "FailureTarget"):
        yield _problem("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")


def _lasting(spec: Object, status: Object, before: Object) -> Errors:
    """What has been said of an end stays, counters only grow, and times stay once they are set."""
    for kind in ("Complete", "Failed", "FailureTarget"):
        if _is(before, kind) and not _is(status, kind):
            yield _problem(f"cannot disable the terminal {kind}=True condition")
    for name in ("failed",) if _is_elastic(spec) else ("failed", "succeeded"):
        if (status.get(name) or 0) < (before.get(name) or 0):
            yield invalid(f"status.{name}", status.get(name) or 0, f"cannot decrease the {name} counter")
    done, start = status.get("completionTime"), status.get("startTime")
    if done and before.get("completionTime") and done != before["completionTime"]:
        yield invalid("status.completionTime", done, IMMUTABLE)
    resuming = _is(before, "Suspended") and _is(status, "Suspended", "False")
    if before.get("startTime") and start != before["startTime"] and not spec.get("suspend") and not resuming:
        yield invalid("status.startTime", start, f"{IMMUTABLE} for unsuspended job once set")
    if _is(before, "SuccessCriteriaMet") and not _is(status, "SuccessCriteriaMet"):
        yield _problem("cannot disable the SuccessCriteriaMet=True condition")


def _is_elastic(spec: Object) -> bool:
    """Whether the Job may have its completions changed, and indexes be taken away."""
    return spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
