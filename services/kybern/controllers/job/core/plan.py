"""One step of a Job: which pods to count, make and delete, and what the status says.

Pods hold a finalizer until they are counted. Counting takes three steps, so that no crash counts a pod twice or never:
their uids go into status.uncountedTerminatedPods; their finalizers go; the uids become numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kybern.controllers.core import pods as podlib
from kybern.controllers.core.jobs import ending
from kybern.controllers.job.core.count import FINALIZER, Count, count_pods, ended_at, pause, pause_after, restarts
from kybern.controllers.job.core.indexes import format_indexes, index_of, parse_indexes
from kybern.controllers.job.core.per_index import IndexFailures, annotations, index_failures
from kybern.controllers.job.core.policy import matched_success_rule
from kybern.kube import meta
from kybern.kube.conditions import find_condition
from kybern.kube.meta import Object

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
    annotations: tuple[dict[str, str], ...] = ()  # more of them, for each index
    look_again: float | None = None
    events: tuple[tuple[str, str, str], ...] = ()  # type, reason, message


def compute_plan(job: Object, pods: Sequence[Object], now: datetime) -> JobPlan:
    """The next step for a Job and the pods that it controls."""
    if ending(job) is not None or meta.is_deleting(job):
        return JobPlan(finalize=tuple(pod for pod in pods if FINALIZER in meta.finalizers(pod)))
    return _Step(job, pods, now).plan()


class _Step:
    """One step while it is worked out; `status` and `conditions` are those to be written."""

    def __init__(self, job: Object, pods: Sequence[Object], now: datetime) -> None:
        self.job, self.pods, self.now = job, pods, now
        self.spec: Object = job["spec"]
        self.was: Object = job.get("status") or {}
        self.status: Object = {**self.was}
        self.conditions: list[Object] = [*(self.was.get("conditions") or [])]
        self.indexed = self.spec.get("completionMode") == "Indexed"
        self.events: list[tuple[str, str, str]] = []
        self.failed_only = self.spec.get("podReplacementPolicy") == "Failed"
        self.per_index = self.spec.get("backoffLimitPerIndex") is not None
        self.failures: dict[int, IndexFailures] = {}

    def plan(self) -> JobPlan:
        suspended = bool(self.spec.get("suspend"))
        if not self.was.get("startTime") and not suspended:
            self.status["startTime"] = meta.format_time(self.now)
        count = count_pods(self.job, self.pods)
        self.failures = index_failures(self.job, [*count.failed, *count.ignored])
        finalize = self._uncounted(count)
        failure = self._failure(count)
        success = None if failure is not None else self._success(count)
        delete: list[Object] = []
        create, look_again = 0, self._seconds_to_deadline()
        indexes: tuple[int, ...] = ()
        if failure is not None:
            self._condition("FailureTarget", *failure)
            delete = count.active
        elif success is not None:
            self._condition("SuccessCriteriaMet", *success)
            delete = count.active
        elif suspended:
            delete = count.active
            self._suspend()
        else:
            self._resume()
            wait = 0.0 if self.per_index else pause(count, self.now)
            waits = [seconds for seconds in (wait, *self._index_waits().values()) if seconds > 0]
            look_again = min(waits if look_again is None else [look_again, *waits], default=None)
            create, indexes, delete = self._difference(count, may_create=wait <= 0)
            finalize = self._without_last_failures(count, finalize)
        self._finish(count, failure, success, bool(delete))
        self._write(count, delete)
        return JobPlan(
            status=self.status if self.status != self.was else None,
            finalize=tuple(finalize),
            delete=tuple(delete),
            spared=failure is None,
            create=create,
            indexes=indexes,
            annotations=tuple(annotations(self.job, self.failures.get(index)) for index in indexes),
            look_again=look_again if failure is None and success is None else None,
            events=tuple(self.events),
        )

    # counting

    def _uncounted(self, count: Count) -> list[Object]:
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
        written |= {meta.uid(pod) for pod in count.ignored}
        return [pod for uid, pod in waiting.items() if uid in written]

    def _without_last_failures(self, count: Count, finalize: list[Object]) -> list[Object]:
        """The last failed pod of an index stays until another has taken its count over."""
        taken = self._failed_indexes() | self._completed() | set(map(index_of, count.active))
        kept = {meta.uid(one.last) for index, one in self.failures.items() if index not in taken}
        return [pod for pod in finalize if meta.uid(pod) not in kept]

    def _completed(self) -> set[int]:
        return parse_indexes(self.status.get("completedIndexes", ""))

    def _failed_indexes(self) -> set[int]:
        found = parse_indexes(self.was.get("failedIndexes") or "")
        return (found | {index for index, one in self.failures.items() if one.failed}) - self._completed()

    def _total(self, name: str) -> int:
        if self.indexed and name == "succeeded":
            return int(self.status.get("succeeded", 0))
        return int(self.status.get(name, 0)) + len(self.status["uncountedTerminatedPods"].get(name, ()))

    # verdicts

    def _failure(self, count: Count) -> tuple[str, str] | None:
        target = find_condition(self.conditions, "FailureTarget")
        if target is not None and target["status"] == "True":
            return target.get("reason", ""), target.get("message", "")
        if count.fails_job:
            return "PodFailurePolicy", count.fails_job
        limit = self.spec.get("backoffLimit", DEFAULT_BACKOFF_LIMIT)
        on_failure = (self.spec["template"].get("spec") or {}).get("restartPolicy") == "OnFailure"
        if self._total("failed") > limit or (on_failure and restarts(count.active) >= max(limit, 1)):
            return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        remaining = self._seconds_to_deadline()
        if remaining is not None and remaining <= 0:
            return "DeadlineExceeded", "Job was active longer than specified deadline"
        return self._too_many_indexes() if self.per_index else None

    def _too_many_indexes(self) -> tuple[str, str] | None:
        failed = self._failed_indexes()
        self.status["failedIndexes"] = format_indexes(failed)
        most = self.spec.get("maxFailedIndexes")
        if most is not None and len(failed) > most:
            return "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
        if failed and len(failed) + len(self._completed()) >= self.spec["completions"]:
            return "FailedIndexes", "Job has failed indexes"
        return None

    def _seconds_to_deadline(self) -> float | None:
        seconds, start = self.spec.get("activeDeadlineSeconds"), meta.parse_time(self.status.get("startTime"))
        if seconds is None or start is None or self.spec.get("suspend"):
            return None
        return (start + timedelta(seconds=seconds) - self.now).total_seconds()

    def _success(self, count: Count) -> tuple[str, str] | None:
        met = find_condition(self.conditions, "SuccessCriteriaMet")
        if met is not None and met["status"] == "True":
            return met.get("reason", ""), met.get("message", "")
        rule = matched_success_rule(self.job, self._completed())
        if rule is not None:
            return "SuccessPolicy", f"Matched rules at index {rule}"
        succeeded, completions = self._total("succeeded"), self.spec.get("completions")
        done = succeeded > 0 and not count.active if completions is None else succeeded >= completions
        return ("CompletionsReached", "Reached expected number of succeeded pods") if done else None

    def _finish(
        self, count: Count, failure: tuple[str, str] | None, success: tuple[str, str] | None, deleting: bool
    ) -> None:
        """The last condition comes when no pod runs any more and all are counted."""
        if count.terminating or deleting or self.status["uncountedTerminatedPods"]:
            return
        if failure is not None:
            self._condition("Failed", *failure)
            self.events.append(("Warning", *failure))
        elif success is not None:
            self._condition("Complete", *success)
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

    def _difference(self, count: Count, *, may_create: bool) -> tuple[int, tuple[int, ...], list[Object]]:
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
        taken = self._completed() | self._failed_indexes() | set(self._index_waits())
        taken |= {i for i in map(index_of, count.active) if i is not None}
        free = (i for i in range(self.spec["completions"]) if i not in taken)
        indexes = tuple(index for index, _ in zip(free, range(missing), strict=False))
        return len(indexes), indexes, []

    def _wanted(self, count: Count) -> int:
        parallelism, completions = self.spec.get("parallelism", 1), self.spec.get("completions")
        succeeded = self._total("succeeded")
        if completions is None:
            return len(count.active) if succeeded else int(parallelism)
        return max(0, min(int(parallelism), int(completions) - succeeded - len(self._failed_indexes())))

    def _index_waits(self) -> dict[int, float]:
        """Seconds until a pod may be made again, of the indexes with a limit of their own that must wait."""
        failed, waits = self._failed_indexes(), {}
        for index, one in self.failures.items():
            wait = pause_after(one.count, ended_at(one.last, self.now), self.now)
            if wait > 0 and index not in failed:
                waits[index] = wait
        return waits

    # writing

    def _condition(self, type_: str, reason: str, message: str, status: str = "True") -> None:
        known = find_condition(self.conditions, type_)
        if known is not None and known["status"] == status:
            return
        time = meta.format_time(self.now)
        new = {"type": type_, "status": status, "lastProbeTime": time, "lastTransitionTime": time}
        self.conditions = [c for c in self.conditions if c is not known]
        self.conditions.append({**new, "reason": reason, "message": message})

    def _write(self, count: Count, deleted: list[Object]) -> None:
        numbers = {
            "active": len(count.active) - len(deleted),
            "failed": self.status.get("failed", 0),
            "succeeded": self.status.get("succeeded", 0),
        }
        for name, number in numbers.items():
            if number:
                self.status[name] = number
            else:
                self.status.pop(name, None)
        ready = sum(podlib.is_ready(pod) for pod in count.active)
        self.status["ready"] = ready - sum(podlib.is_ready(pod) for pod in deleted)
        self.status["terminating"] = count.terminating
        if self.conditions:
            self.status["conditions"] = self.conditions
