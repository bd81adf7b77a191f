"""Controller: workers that reconcile the keys of a rate-limited queue, one at a time for each key.

`reconcile(key)` is level-based: it looks at the present state, never at the event that brought the key here. It returns
None, or `RequeueAfter` to look again later; raising means: again, with back-off. It runs in a span under the newest
trace context of the object, which the writes it makes carry on (see `tracing`).
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kybern.client.queue_metrics import MeasuredQueue
from kybern.client.tracing import under
from kybern.client.workqueue import RateLimiter, RateLimitingQueue, ShutDown
from kybern.kube import meta
from kybern.kube.status import StatusError
from kybern.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class RequeueAfter:
    """Look at the key again in so many seconds."""

    seconds: float


Reconcile = Callable[[str], Awaitable[RequeueAfter | None]]


class Controller:
    """A named loop: a queue, workers, and what to do about a key."""

    def __init__(
        self,
        name: str,
        reconcile: Reconcile,
        telemetry: Telemetry,
        *,
        traceparent: Callable[[str], str] = lambda key: "",
        resource: str = "",
        workers: int = 2,
        limiter: RateLimiter | None = None,
    ) -> None:
        self.name = name
        self.queue = RateLimitingQueue(limiter, MeasuredQueue(telemetry.registry, name))
        self._reconcile = reconcile
        self._telemetry = telemetry
        self._newest_traceparent = traceparent
        self._resource = resource
        self._workers = workers

    async def run(self) -> None:
        """Work until cancelled, or until the queue is shut down and empty."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._workers):
                    tasks.create_task(self._work())
        finally:
            self.queue.shut_down()

    async def _work(self) -> None:
        while True:
            try:
                key = await self.queue.get()
            except ShutDown:
                return
            try:
                again = await self._traced(key)
            except Exception as error:
                self._failed(key, error)
            else:
                self.queue.forget(key)
                if again is not None and math.isfinite(again.seconds):
                    self.queue.add_after(key, again.seconds)
            finally:
                self.queue.done(key)

    async def _traced(self, key: str) -> RequeueAfter | None:
        parent = self._newest_traceparent(key)
        if not parent:
            with under(""):
                return await self._reconcile(key)
        namespace, name = meta.split_key(key)
        attributes = {"k8s.namespace.name": namespace, "k8s.resource": self._resource, "k8s.object.name": name}
        span = self._telemetry.span(f"reconcile {self.name}", parent, attributes=attributes)
        with span as step, under(step.traceparent or parent):
            return await self._reconcile(key)

    def _failed(self, key: str, error: Exception) -> None:
        log = self._telemetry.log
        extra = {"controller": self.name, "key": key, "retries": self.queue.num_requeues(key)}
        if isinstance(error, StatusError) and error.code == 409:
            log.debug("%s %s: %s", self.name, key, error, extra=extra)
        elif isinstance(error, StatusError):
            log.warning("%s %s: %s", self.name, key, error, extra=extra)
        else:
            log.error("%s %s failed", self.name, key, exc_info=error, extra=extra)
        self.queue.add_rate_limited(key)
