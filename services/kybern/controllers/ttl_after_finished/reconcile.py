"""The loop over Jobs with ttlSecondsAfterFinished."""

from datetime import datetime, timedelta

from kybern.client.controller import RequeueAfter
from kybern.client.resources import JOBS
from kybern.controllers.context import Context
from kybern.controllers.core.jobs import ending
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import allowing

NAME = "ttl-after-finished-controller"


def expires_at(job: Object) -> datetime | None:
    """When a Job is to be deleted; None when it is not finished, or stays."""
    ttl, condition = job["spec"].get("ttlSecondsAfterFinished"), ending(job)
    ended = meta.parse_time(condition.get("lastTransitionTime")) if condition is not None else None
    return ended + timedelta(seconds=ttl) if ended is not None and ttl is not None else None


class TTLAfterFinishedController:
    """Deletes in the foreground, so that pods go too."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._jobs = context.informer(JOBS)
        self._loop = context.controller(NAME, JOBS, self.reconcile)

    async def run(self) -> None:
        await self._context.synced(JOBS)
        await self._loop.run()

    async def reconcile(self, key: str) -> RequeueAfter | None:
        job = self._jobs.get(key)
        at = expires_at(job) if job is not None and not meta.is_deleting(job) else None
        if job is None or at is None:
            return None
        left = (at - self._context.clock.now()).total_seconds()
        if left > 0:
            return RequeueAfter(left)
        with allowing(404):
            live = await self._context.client.get(JOBS, meta.name(job), meta.namespace(job))
            if expires_at(live) != at:  # its TTL was changed just now
                return RequeueAfter(1.0)
            await self._context.client.delete(
                JOBS, meta.name(job), meta.namespace(job), uid=meta.uid(job), propagation_policy="Foreground"
            )
        return None
