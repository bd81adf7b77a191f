"""One step of a Job: which pods to count, make and delete, and what the status says.

Pods hold a finalizer until they are counted. Counting takes three steps, so that no crash counts a pod twice or never:
their uids go into status.uncountedTerminatedPods; their finalizers go; the uids become numbers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kybern.controllers.core import pods as podlib
from kybern.controllers.job.core.indexes import format_indexes, index_of, parse_indexes
from kybern.kube import meta
from kybern.kube.conditions import find_condition
from kybern.kube.meta import Object

FINALIZER = "batch.kubernetes.io/job-tracking"
FIRST_BACKOFF, MAX_BACKOFF = 10.0, 600.0
DEFAULT_BACKOFF_LIMIT = 6


@dataclass(frozen=True)
class JobPlan:
    """In this order: write the status, take finalizers off, delete, create (`indexes` for an Indexed Job).

    Pods that are deleted though nothing failed (`spared`) lose their finalizer first, and so count for nothing.
    """

    status: Object | None = None
    finalize: tuple[Object, ...] = ()
    delete: tuple[Object, ...] = ()
    spared: bool = False
    create: int = 0
    indexes: tuple[int, ...] = ()
    look_again: float | None = None
    events: tuple[tuple[str, str, str], ...] = ()  # type, reason, message


@dataclass
class _Count:
    """Pods of a Job, sorted."""

    active: list[Object] = field(default_factory=list)
    terminating: int = 0
    succeeded: list[Object] = field(default_factory=list)  # not yet counted
    failed: list[Object] = field(default_factory=list)


def is_finished(job: Object) -> bool:
    conditions = (job.get("status") or {}).get("conditions")
    return any(
        condition is not None and condition["status"] == "True"
        for condition in (find_condition(conditions, "Complete"), find_condition(conditions, "Failed"))
    )


def compute_plan(job: Object, pods: Sequence[Object], now: datetime) -> JobPlan:
    """The next step for a Job and the pods that it controls."""
    if is_finished(job) or meta.is_deleting(job):
        return JobPlan(finalize=tuple(pod for pod in pods if FINALIZER in meta.finalizers(pod)))
    return _Step(job, pods, now).plan()


class _Step:
    def __init__(self, job: Object, pods: Sequence[Object], now: datetime) -> None:
        self.job, self.pods, self.now = job, pods, now
        self.spec: Object = job["spec"]
        self.was: Object = job.get("status") or {}
        self.status: Object = {**self.was}
        self.conditions: list[Object] = [*(self.was.get("conditions") or [])]
        self.indexed = self.spec.get("completionMode") == "Indexed"
        self.events: list[tuple[str, str, str]] = []
        self.failed_only = self.spec.get("podReplacementPolicy") == "Failed"

    def plan(self) -> JobPlan:
        suspended = bool(self.spec.get("suspend"))
        if not self.was.get("startTime") and not suspended:
            self.status["startTime"] = meta.format_time(self.now)
        count = self._count()
        finalize = self._uncounted(count)
        failure = self._failure(count)
        complete = failure is None and self._is_complete(count)
        delete: list[Object] = []
        create, look_again = 0, self._seconds_to_deadline()
        indexes: tuple[int, ...] = ()
        if failure is not None:
            self._condition("FailureTarget", *failure)
            delete = count.active
        elif complete:
            self._condition("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods")
            delete = count.active
        elif suspended:
            delete = count.active
            self._suspend()
        else:
            self._resume()
            wait = self._backoff(count)
            if wait > 0:
                look_again = wait if look_again is None else min(wait, look_again)
            create, indexes, delete = self._difference(count, may_create=wait <= 0)
        self._finish(count, failure, complete, bool(delete))
        self._write(count, deleted=len(delete))
        return JobPlan(
            status=self.status if self.status != self.was else None,
            finalize=tuple(finalize),
            delete=tuple(delete),
            spared=failure is None,
            create=create,
            indexes=indexes,
            look_again=look_again if failure is None and not complete else None,
            events=tuple(self.events),
        )

    # counting

    def _count(self) -> _Count:
        count = _Count()
        for pod in self.pods:
            phase, tracked = podlib.phase(pod), FINALIZER in meta.finalizers(pod)
            if phase == "Succeeded":
                count.succeeded.append(pod)
            elif phase == "Failed" or (meta.is_deleting(pod) and not self.failed_only and tracked):
                count.failed.append(pod)
            elif not meta.is_deleting(pod):
                count.active.append(pod)
            if podlib.is_terminating(pod):
                count.terminating += 1
        return count

    def _uncounted(self, count: _Count) -> list[Object]:
        """Move counted uids into numbers, take up new ones, and say whose finalizers can go."""
        waiting = {meta.uid(pod): pod for pod in self.pods if FINALIZER in meta.finalizers(pod)}
        was: Object = self.was.get("uncountedTerminatedPods") or {}
        now_waiting: Object = {}
        completed = parse_indexes(self.was.get("completedIndexes", ""))
        for name, found in (("succeeded", count.succeeded), ("failed", count.failed)):
            uids: list[str] = was.get(name) or []
            open_uids = [uid for uid in uids if uid in waiting]
            done = len(uids) - len(open_uids)
            if done and not (self.indexed and name == "succeeded"):
                self.status[name] = self.status.get(name, 0) + done
            new = [meta.uid(pod) for pod in found if meta.uid(pod) in waiting and meta.uid(pod) not in uids]
            if name == "succeeded" and self.indexed:
                completed |= {i for i in map(index_of, found) if i is not None and i < self.spec["completions"]}
                self.status["completedIndexes"] = format_indexes(completed)
                self.status["succeeded"] = len(completed)
            if open_uids or new:
                now_waiting[name] = [*open_uids, *new]
        self.status["uncountedTerminatedPods"] = now_waiting
        # A finalizer goes only when the uid stands in a status that has been written.
        written = {uid for uids in was.values() for uid in uids}
        return [pod for uid, pod in waiting.items() if uid in written]

    def _total(self, name: str) -> int:
        if self.indexed and name == "succeeded":
            return int(self.status.get("succeeded", 0))
        return int(self.status.get(name, 0)) + len(self.status["uncountedTerminatedPods"].get(name, ()))

    # verdicts

    def _failure(self, count: _Count) -> tuple[str, str] | None:
        target = find_condition(self.conditions, "FailureTarget")
        if target is not None and target["status"] == "True":
            return target.get("reason", ""), target.get("message", "")
        limit = self.spec.get("backoffLimit", DEFAULT_BACKOFF_LIMIT)
        restarts = 0
        if (self.spec["template"].get("spec") or {}).get("restartPolicy") == "OnFailure":
            restarts = sum(podlib.restarts(pod) for pod in count.active)
        if self._total("failed") > limit or (restarts and restarts >= max(limit, 1)):
            return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        remaining = self._seconds_to_deadline()
        if remaining is not None and remaining <= 0:
            return "DeadlineExceeded", "Job was active longer than specified deadline"
        return None

    def _seconds_to_deadline(self) -> float | None:
        seconds, start = self.spec.get("activeDeadlineSeconds"), meta.parse_time(self.status.get("startTime"))
        if seconds is None or start is None or self.spec.get("suspend"):
            return None
        return (start + timedelta(seconds=seconds) - self.now).total_seconds()

    def _is_complete(self, count: _Count) -> bool:
        met = find_condition(self.conditions, "SuccessCriteriaMet")
        if met is not None and met["status"] == "True":
            return True
        succeeded, completions = self._total("succeeded"), self.spec.get("completions")
        if completions is None:
            return succeeded > 0 and not count.active
        return bool(succeeded >= completions)

    def _finish(self, count: _Count, failure: tuple[str, str] | None, complete: bool, deleting: bool) -> None:
        """The last condition comes when no pod runs any more and all are counted."""
        if count.terminating or deleting or self.status["uncountedTerminatedPods"] or not (failure or complete):
            return
        if failure is not None:
            self._condition("Failed", *failure)
            self.events.append(("Warning", *failure))
        else:
            self._condition("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
            self.status["completionTime"] = meta.format_time(self.now)
            self.events.append(("Normal", "Completed", "Job completed"))

    # suspending

    def _suspend(self) -> None:
        known = find_condition(self.conditions, "Suspended")
        if known is None or known["status"] != "True":
            self._condition("Suspended", "JobSuspended", "Job suspended")
            self.status.pop("startTime", None)
            self.events.append(("Normal", "Suspended", "Job suspended"))

    def _resume(self) -> None:
        known = find_condition(self.conditions, "Suspended")
        if known is not None and known["status"] == "True":
            self._condition("Suspended", "JobResumed", "Job resumed", status="False")
            self.status["startTime"] = meta.format_time(self.now)
            self.events.append(("Normal", "Resumed", "Job resumed"))

    # pods to make and to delete

    def _difference(self, count: _Count, *, may_create: bool) -> tuple[int, tuple[int, ...], list[Object]]:
        wanted = self._wanted(count)
        running = len(count.active) + (count.terminating if self.failed_only else 0)
        if running > wanted:
            order = sorted(count.active, key=lambda p: (podlib.is_ready(p), podlib.phase(p) == "Running", meta.name(p)))
            return 0, (), order[: min(running - wanted, len(order))]
        missing = wanted - running
        if not may_create or missing <= 0:
            return 0, (), []
        if not self.indexed:
            return missing, (), []
        taken = parse_indexes(self.status.get("completedIndexes", ""))
        taken |= {i for i in map(index_of, count.active) if i is not None}
        free = (i for i in range(self.spec["completions"]) if i not in taken)
        indexes = tuple(index for index, _ in zip(free, range(missing), strict=False))
        return len(indexes), indexes, []

    def _wanted(self, count: _Count) -> int:
        parallelism, completions = self.spec.get("parallelism", 1), self.spec.get("completions")
        succeeded = self._total("succeeded")
        if completions is None:
            return len(count.active) if succeeded else int(parallelism)
        return max(0, min(int(parallelism), int(completions) - succeeded))

    def _backoff(self, count: _Count) -> float:
        """Seconds until new pods may be made: 10 doubling with each failure since the last success, to 10 minutes."""
        last_success = max((_finished_at(pod, self.now) for pod in count.succeeded), default=None)
        times = [_finished_at(pod, self.now) for pod in count.failed]
        recent = [time for time in times if last_success is None or time > last_success]
        if not recent:
            return 0.0
        wait = min(FIRST_BACKOFF * 2.0 ** min(len(recent) - 1, 20), MAX_BACKOFF)
        return (max(recent) + timedelta(seconds=wait) - self.now).total_seconds()

    # writing

    def _condition(self, type_: str, reason: str, message: str, status: str = "True") -> None:
        known = find_condition(self.conditions, type_)
        if known is not None and known["status"] == status:
            return
        time = meta.format_time(self.now)
        new = {"type": type_, "status": status, "lastProbeTime": time, "lastTransitionTime": time}
        self.conditions = [c for c in self.conditions if c is not known]
        self.conditions.append({**new, "reason": reason, "message": message})

    def _write(self, count: _Count, deleted: int) -> None:
        numbers = {
            "active": len(count.active) - deleted,
            "failed": self.status.get("failed", 0),
            "succeeded": self.status.get("succeeded", 0),
        }
        for name, number in numbers.items():
            if number:
                self.status[name] = number
            else:
                self.status.pop(name, None)
        self.status["ready"] = sum(podlib.is_ready(pod) for pod in count.active)
        self.status["terminating"] = count.terminating
        if self.conditions:
            self.status["conditions"] = self.conditions


def _finished_at(pod: Object, now: datetime) -> datetime:
    """When the last container ended; else when the pod was deleted or made."""
    statuses: Iterable[Object] = (pod.get("status") or {}).get("containerStatuses") or ()
    ends = [((s.get("state") or {}).get("terminated") or {}).get("finishedAt") for s in statuses]
    times = [time for time in map(meta.parse_time, ends) if time is not None]
    if times:
        return max(times)
    return meta.deletion_timestamp(pod) or meta.creation_timestamp(pod) or now
