"""Deadlines of many calls with one timer: nearly all calls end long before theirs, so none gets a timer of its own."""

import asyncio
from collections.abc import Callable


class Deadlines:
    """`late(call)` is called when a call's time is over, unless it was dropped before."""

    def __init__(self, loop: asyncio.AbstractEventLoop, late: Callable[[int], None]) -> None:
        self._loop, self._late = loop, late
        self._at: dict[int, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0  # when the timer goes off

    def set(self, call: int, seconds: float) -> None:
        """From now on."""
        at = self._at[call] = self._loop.time() + seconds
        if self._timer is None or at < self._next:
            self._look_at(at)

    def drop(self, call: int) -> None:
        """The call has ended; nothing happens if it had no deadline."""
        self._at.pop(call, None)

    def close(self) -> None:
        """No call is late any more."""
        self._at.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = at
        self._timer = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        """End what is late; the next look is at the earliest deadline that is left."""
        self._timer = None
        late = [call for call, at in self._at.items() if at <= self._next]
        for call in late:
            del self._at[call]
            self._late(call)
        if self._at:
            self._look_at(min(self._at.values()))
