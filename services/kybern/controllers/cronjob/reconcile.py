"""The CronJob controller: look at running Jobs, start what is due, come back for the next time."""

from zoneinfo import ZoneInfoNotFoundError

from kybern.client.controller import RequeueAfter
from kybern.client.events import NORMAL, WARNING
from kybern.client.informer import each
from kybern.client.resources import CRON_JOBS, JOBS
from kybern.client.store import CONTROLLER
from kybern.controllers.context import Context
from kybern.controllers.cronjob.core import (
    compute_next,
    describe_refusal,
    finished,
    job_reference,
    make_job,
    surplus_jobs,
)
from kybern.controllers.cronjob.schedule import NeverDueError, ScheduleError
from kybern.controllers.pod_control import is_namespace_terminating
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError

NAME = "cronjob-controller"
DELTA = 0.1  # seconds to come back late rather than early


class CronJobController:
    """The loop over CronJobs."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._events = context.recorder(NAME)
        self._cron_jobs = context.informer(CRON_JOBS)
        self._jobs = context.informer(JOBS, CONTROLLER)
        self._loop = context.controller(NAME, CRON_JOBS, self.reconcile)
        self._jobs.add_handler(each(self._job_changed))

    async def run(self) -> None:
        await self._context.synced(CRON_JOBS, JOBS)
        await self._loop.run()

    def _job_changed(self, job: Object) -> None:
        ref = meta.controller_of(job)
        if ref is not None and ref.get("kind") == "CronJob":
            self._loop.queue.add(meta.join_key(meta.namespace(job), ref["name"]))

    async def reconcile(self, key: str) -> RequeueAfter | None:
        cron_job = self._cron_jobs.get(key)
        if cron_job is None or meta.is_deleting(cron_job):
            return None
        jobs = self._jobs.store.by_index(CONTROLLER, meta.uid(cron_job))
        for job in surplus_jobs(cron_job, jobs):
            await self._delete(cron_job, job)
        await self._tell_of_missing(cron_job, jobs)
        status = self._observe(cron_job, jobs)
        wait: float | None = None
        if not cron_job["spec"].get("suspend"):
            try:
                wait, status = await self._start(cron_job, jobs, status)
            except (ScheduleError, NeverDueError, ZoneInfoNotFoundError) as error:
                self._events.event(cron_job, WARNING, *describe_refusal(cron_job["spec"], error))
        if status != (cron_job.get("status") or {}):
            await self._client.update_status(CRON_JOBS, {**cron_job, "status": status})
        return RequeueAfter(wait + DELTA) if wait is not None else None

    async def _tell_of_missing(self, cron_job: Object, jobs: list[Object]) -> None:
        """Jobs in status.active that somebody has deleted. The informer may lag behind what was just created."""
        here = {meta.uid(job) for job in jobs}
        for ref in (cron_job.get("status") or {}).get("active") or ():
            if ref["uid"] in here:
                continue
            try:
                await self._client.get(JOBS, ref["name"], meta.namespace(cron_job))
            except StatusError as error:
                if error.code != 404:
                    raise
                message = f"Active job went missing: {ref['name']}"
                self._events.event(cron_job, NORMAL, "MissingJob", message)

    def _observe(self, cron_job: Object, jobs: list[Object]) -> Object:
        """The status for these Jobs: those that run, and the last success."""
        status: Object = {**(cron_job.get("status") or {})}
        running = [job for job in jobs if not finished(job)]
        was = {ref["uid"] for ref in status.get("active") or ()}
        for job in jobs:
            if meta.uid(job) in was and finished(job):
                message = f"Saw completed job: {meta.name(job)}, condition: {finished(job)}"
                self._events.event(cron_job, NORMAL, "SawCompletedJob", message)
        done = [(job.get("status") or {}).get("completionTime") for job in jobs if finished(job) == "Complete"]
        newest = max([time for time in [*done, status.get("lastSuccessfulTime")] if time], default=None)
        if newest:
            status["lastSuccessfulTime"] = newest
        status["active"] = [job_reference(job) for job in running]
        if not status["active"]:
            del status["active"]
        return status

    async def _start(self, cron_job: Object, jobs: list[Object], status: Object) -> tuple[float | None, Object]:
        due = compute_next(cron_job, self._context.clock.now())
        if due.missed > 100:
            message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._events.event(cron_job, WARNING, "TooManyMissedTimes", message)
        if due.start is None:
            return due.wait, status
        policy = cron_job["spec"].get("concurrencyPolicy", "Allow")
        running = [job for job in jobs if not finished(job)]
        if policy == "Forbid" and running:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._events.event(cron_job, NORMAL, "JobAlreadyActive", message)
            return due.wait, status
        if policy == "Replace":
            for job in running:
                await self._delete(cron_job, job)
            running = []
        try:
            created = await self._client.create(JOBS, make_job(cron_job, due.start))
        except StatusError as error:
            if is_namespace_terminating(error):
                return None, status
            if error.reason != "AlreadyExists":
                self._events.event(cron_job, WARNING, "FailedCreate", f"Error creating job: {error.message}")
                raise
        else:
            self._events.event(cron_job, NORMAL, "SuccessfulCreate", f"Created job {meta.name(created)}")
            running = [*running, created]
        active = [job_reference(job) for job in running]
        return due.wait, {**status, "active": active, "lastScheduleTime": meta.format_time(due.start)}

    async def _delete(self, cron_job: Object, job: Object) -> None:
        try:
            await self._client.delete(
                JOBS, meta.name(job), meta.namespace(job), uid=meta.uid(job), propagation_policy="Background"
            )
        except StatusError as error:
            if error.code not in (404, 409):
                raise
            return
        self._events.event(cron_job, NORMAL, "SuccessfulDelete", f"Deleted job {meta.name(job)}")
