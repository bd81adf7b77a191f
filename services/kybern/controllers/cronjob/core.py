"""What a CronJob does next: start a Job, replace running ones, wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kybern.controllers.core.jobs import ending
from kybern.controllers.cronjob.schedule import Every, NeverDueError, Schedule, parse
from kybern.kube import meta
from kybern.kube.meta import Object

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
MANY_MISSED = 100


@dataclass(frozen=True)
class Next:
    """`start`: the time a Job is due for now. `wait`: seconds until the next one. `missed`: times that went by."""

    start: datetime | None
    wait: float | None
    too_late: bool = False
    missed: int = 0


def compute_next(cron_job: Object, now: datetime) -> Next:
    """The most recent time that is due and was not used. Raises ScheduleError, NeverDueError, ZoneInfoNotFoundError."""
    spec: Object = cron_job["spec"]
    zone = ZoneInfo(spec["timeZone"]) if spec.get("timeZone") else UTC
    schedule = parse(spec["schedule"])
    last = meta.parse_time((cron_job.get("status") or {}).get("lastScheduleTime"))
    earliest = last or meta.creation_timestamp(cron_job) or now
    deadline = spec.get("startingDeadlineSeconds")
    if deadline is not None:
        earliest = max(earliest, now - timedelta(seconds=deadline))
    due, missed = _most_recent(schedule, earliest.astimezone(zone), now)
    upcoming = schedule.next_after(due or earliest.astimezone(zone))
    if upcoming is None:
        raise NeverDueError("time difference between two schedules is less than 1 second")
    wait = (upcoming - now).total_seconds()
    too_late = due is not None and deadline is not None and due + timedelta(seconds=deadline) < now
    return Next(None if due is None or too_late else due.astimezone(UTC), wait, too_late, missed)


def _most_recent(schedule: Schedule | Every, earliest: datetime, now: datetime) -> tuple[datetime | None, int]:
    """The last time in (earliest, now], and how many there were (counted to a hundred)."""
    if isinstance(schedule, Every):
        first = schedule.next_after(earliest.astimezone(UTC))
        missed = max((now - first) // schedule.delay + 1, 0)
        return (first + (missed - 1) * schedule.delay if missed else None), missed
    found: datetime | None = None
    missed = 0
    moment = schedule.next_after(earliest)
    while moment is not None and moment <= now:
        found, missed = moment, missed + 1
        if missed > MANY_MISSED:  # far behind: look only at the time just before now
            gap = timedelta(minutes=1)
            while (late := schedule.next_after(now.astimezone(earliest.tzinfo) - gap)) is None or late > now:
                gap *= 2
            moment = late
            missed = MANY_MISSED + 1
            while (after := schedule.next_after(moment)) is not None and after <= now:
                moment = after
            return moment, missed
        moment = schedule.next_after(moment)
    return found, missed


def describe_refusal(spec: Object, error: Exception) -> tuple[str, str]:
    """(reason, message) of the event for a CronJob that can never run as it is."""
    if isinstance(error, NeverDueError):
        return "InvalidSchedule", f"invalid schedule: {spec['schedule']} : {error}"
    if isinstance(error, ZoneInfoNotFoundError):
        zone = spec["timeZone"]
        return "UnknownTimeZone", f'invalid timeZone: "{zone}": unknown time zone {zone}'
    return "UnparseableSchedule", f'unparseable schedule: "{spec["schedule"]}" : {error}'


def make_job(cron_job: Object, at: datetime) -> Object:
    """The Job for a time; its name makes sure that there is one only."""
    template: Object = cron_job["spec"]["jobTemplate"]
    given: Object = template.get("metadata") or {}
    annotations = {**(given.get("annotations") or {}), SCHEDULED_AT: meta.format_time(at)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{meta.name(cron_job)}-{int(at.timestamp()) // 60}",
            "namespace": meta.namespace(cron_job),
            "labels": given.get("labels") or {},
            "annotations": annotations,
            "ownerReferences": [meta.owner_reference(cron_job)],
        },
        "spec": template["spec"],
    }


def finished(job: Object) -> str:
    """`Complete`, `Failed`, or "" for a Job that still runs."""
    condition = ending(job)
    return str(condition["type"]) if condition is not None else ""


def surplus_jobs(cron_job: Object, jobs: Sequence[Object]) -> list[Object]:
    """The oldest finished Jobs beyond the two history limits."""
    surplus: list[Object] = []
    for type_, field, default in (
        ("Complete", "successfulJobsHistoryLimit", 3),
        ("Failed", "failedJobsHistoryLimit", 1),
    ):
        done = [job for job in jobs if finished(job) == type_]
        done.sort(key=lambda job: ((job.get("status") or {}).get("startTime") or "", meta.name(job)))
        limit = cron_job["spec"].get(field, default)
        surplus += done[: max(0, len(done) - limit)]
    return surplus


def job_reference(job: Object) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "namespace": meta.namespace(job),
        "name": meta.name(job),
        "uid": meta.uid(job),
        "resourceVersion": meta.resource_version(job),
    }
