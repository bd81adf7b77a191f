"""When one pod is looked at again, and which of its containers have to wait until then. Times are the loop's."""

import asyncio
from dataclasses import replace

from kybern.node.core.pod_actions import PodActions
from kybern.node.pod_start import Started

RESYNC_SECONDS = 60.0
FIRST_RETRY, LONGEST_RETRY = 1.0, 10.0


class Agenda:
    """Woken by whatever changed, by a time that has come, and once a minute in any case."""

    def __init__(self) -> None:
        self.waiting: dict[str, tuple[str, str]] = {}  # container → reason and message, for its status
        self._hold: dict[str, float] = {}  # container → when it may be tried again
        self._wake = asyncio.Event()
        self._wake.set()
        self._next: float | None = None
        self._failures = 0

    def wake(self) -> None:
        """Look at the pod now."""
        self._wake.set()

    def again(self, seconds: float | None) -> None:
        """Look at it in so long, if not before."""
        if seconds is not None:
            at = asyncio.get_running_loop().time() + seconds
            self._next = at if self._next is None else min(self._next, at)

    async def wait(self) -> bool:
        """Until there is something to do; whether somebody woke us, or just time has passed."""
        deadline = asyncio.get_running_loop().time() + RESYNC_SECONDS if self._next is None else self._next
        try:
            async with asyncio.timeout_at(deadline):
                await self._wake.wait()
        except TimeoutError:
            return False
        finally:
            self._wake.clear()
            self._next = None
        return True

    def succeeded(self) -> None:
        """A round has done its work."""
        self._failures = 0

    def failed(self) -> float:
        """A round has failed: after how many seconds the next comes."""
        delay = min(LONGEST_RETRY, FIRST_RETRY * 2.0**self._failures)
        self._failures += 1
        self.again(delay)
        return delay

    def hold(self, started: Started) -> None:
        """Containers that could not be started wait."""
        now = asyncio.get_running_loop().time()
        self.waiting |= started.waiting
        self._hold |= {name: now + seconds for name, seconds in started.retry.items()}

    def release(self) -> None:
        """What containers waited for may be there now."""
        self._hold.clear()
        self.wake()

    def release_changed(self) -> None:
        """The pod asks for something else: only containers that crash go on waiting."""
        crashing = {name for name, why in self.waiting.items() if why[0] == "CrashLoopBackOff"}
        self._hold = {name: at for name, at in self._hold.items() if name in crashing}
        self.wake()

    def without_held(self, actions: PodActions) -> PodActions:
        """The actions for now: containers that failed to start, or crash, are left alone until their time has come."""
        now = asyncio.get_running_loop().time()
        self._hold = {name: at for name, at in self._hold.items() if at > now and name in actions.start}
        self.waiting = {name: why for name, why in self.waiting.items() if name in actions.start}
        for at in self._hold.values():
            self.again(at - now)
        return replace(actions, start=tuple(name for name in actions.start if name not in self._hold))
