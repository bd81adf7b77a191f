"""The pods of a Job, sorted by what they count as; and how long to wait after failures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kybern.controllers.core import pods as podlib
from kybern.controllers.job.core.policy import FAIL_JOB, IGNORE, judge
from kybern.kube import meta
from kybern.kube.meta import Object

FINALIZER = "batch.kubernetes.io/job-tracking"
FIRST_BACKOFF, MAX_BACKOFF = 10.0, 600.0


@dataclass
class Count:
    """Pods of a Job, sorted."""

    active: list[Object] = field(default_factory=list)
    terminating: int = 0
    succeeded: list[Object] = field(default_factory=list)  # not yet counted
    failed: list[Object] = field(default_factory=list)
    ignored: list[Object] = field(default_factory=list)  # failed, but the policy does not count them
    fails_job: str = ""  # why, as the failure policy says


def count_pods(job: Object, pods: Sequence[Object]) -> Count:
    """A pod that is being deleted has failed, unless only a failed one is to be replaced (podReplacementPolicy)."""
    count = Count()
    failed_only = job["spec"].get("podReplacementPolicy") == "Failed"
    for pod in pods:
        phase, tracked = podlib.phase(pod), FINALIZER in meta.finalizers(pod)
        if phase == "Succeeded":
            count.succeeded.append(pod)
        elif phase == "Failed" or (meta.is_deleting(pod) and not failed_only and tracked):
            action, why = judge(job, pod) if phase == "Failed" else ("", "")
            count.fails_job = count.fails_job or (why if action == FAIL_JOB else "")
            (count.ignored if action == IGNORE else count.failed).append(pod)
        elif not meta.is_deleting(pod):
            count.active.append(pod)
        count.terminating += podlib.is_terminating(pod)
    return count


def restarts(pods: Iterable[Object]) -> int:
    """How often containers of these pods have been restarted, all together."""
    statuses = (pod.get("status") or {} for pod in pods)
    lists = (status.get(name) or () for status in statuses for name in ("initContainerStatuses", "containerStatuses"))
    return sum(container.get("restartCount", 0) for containers in lists for container in containers)


def pause(count: Count, now: datetime) -> float:
    """Seconds until new pods may be made, by the failures since the last success."""
    last_success = max((ended_at(pod, now) for pod in count.succeeded), default=None)
    times = [ended_at(pod, now) for pod in count.failed]
    recent = [time for time in times if last_success is None or time > last_success]
    return pause_after(len(recent), max(recent), now) if recent else 0.0


def pause_after(failures: int, last: datetime, now: datetime) -> float:
    """Seconds left of a pause: 10 s after the first failure, doubled by each further one, 10 min at most."""
    if not failures:
        return 0.0
    wait = min(FIRST_BACKOFF * 2.0 ** min(failures - 1, 20), MAX_BACKOFF)
    return (last + timedelta(seconds=wait) - now).total_seconds()


def ended_at(pod: Object, now: datetime) -> datetime:
    """When the last container ended; else when the pod was deleted or made."""
    statuses: Iterable[Object] = (pod.get("status") or {}).get("containerStatuses") or ()
    ends = [((s.get("state") or {}).get("terminated") or {}).get("finishedAt") for s in statuses]
    times = [time for time in map(meta.parse_time, ends) if time is not None]
    if times:
        return max(times)
    return meta.deletion_timestamp(pod) or meta.creation_timestamp(pod) or now
