"""Time, given to a service and never reached for.

`Clock.now()` is wall-clock time. Waiting needs no clock: `asyncio.sleep`, `asyncio.timeout` and `loop.time()` follow
the event loop, which is a real one in production and a virtual one in simulation (`kybern.clock.virtual`).
"""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where wall-clock time comes from."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)
