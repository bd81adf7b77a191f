"""Creating and deleting pods for a controller, with the events that tell of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from kybern.client.events import NORMAL, WARNING, EventRecorder
from kybern.client.objects import Client
from kybern.client.resources import PODS
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError

NAMESPACE_TERMINATING = "NamespaceTerminating"
SLOW_START_INITIAL_BATCH = 1


def is_namespace_terminating(error: StatusError) -> bool:
    """Creation was refused because the namespace is being deleted: nothing to try again."""
    return any(cause.get("reason") == NAMESPACE_TERMINATING for cause in error.details.get("causes") or ())


class PodControl:
    """Makes and removes pods on behalf of one controller."""

    def __init__(self, client: Client, recorder: EventRecorder) -> None:
        self._client = client
        self._recorder = recorder

    async def create(self, owner: Object, pod: Object) -> Object:
        """Create a pod. Raises StatusError, after telling of it."""
        try:
            created = await self._client.create(PODS, pod)
        except StatusError as error:
            if not is_namespace_terminating(error):
                self._recorder.event(owner, WARNING, "FailedCreate", f"Error creating: {error.message}")
            raise
        self._recorder.event(owner, NORMAL, "SuccessfulCreate", f"Created pod: {meta.name(created)}")
        return created

    async def delete(self, owner: Object, pod: Object) -> None:
        """Delete a pod, unless it is gone or another of its name. Raises StatusError, after telling of it."""
        try:
            await self._client.delete(PODS, meta.name(pod), meta.namespace(pod), uid=meta.uid(pod))
        except StatusError as error:
            if error.code in (404, 409):
                raise
            self._recorder.event(owner, WARNING, "FailedDelete", f"Error deleting: {error.message}")
            raise
        self._recorder.event(owner, NORMAL, "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")


async def slow_start_batch(
    count: int, create: Callable[[int], Awaitable[None]], initial: int = SLOW_START_INITIAL_BATCH
) -> tuple[int, StatusError | None]:
    """Call `create` with 0…count-1 in batches that double, until one fails: (successes, first error).

    So that a full quota or a refusing webhook is asked a few times, not thousands of times. Calls of a failing batch
    all finish; what comes after it is not tried.
    """
    done, batch = 0, min(count, initial)
    while batch > 0:
        errors = await _try_all([create(done + i) for i in range(batch)])
        failed = [error for error in errors if error is not None]
        if failed:
            return done + batch - len(failed), failed[0]
        done += batch
        batch = min(2 * batch, count - done)
    return done, None


async def _try_all(calls: Sequence[Awaitable[None]]) -> list[StatusError | None]:
    async def attempt(call: Awaitable[None]) -> StatusError | None:
        try:
            await call
        except StatusError as error:
            return error
        return None

    return await asyncio.gather(*(attempt(call) for call in calls))


async def first_error(calls: Sequence[Awaitable[None]]) -> StatusError | None:
    """Wait for all calls; the first that failed, if any."""
    return next((error for error in await _try_all(calls) if error is not None), None)
