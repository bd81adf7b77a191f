"""Watcher: one client's watch on one cache. It is offered events as they are committed and takes them in batches.

The queue is bounded: a client that does not keep up is cut off (its stream ends, it watches again from where it was)
and never slows the others down.
"""

import asyncio
from collections.abc import Callable

from kybern.apiserver.storage.entry import CacheEvent, Convert
from kybern.apiserver.storage.selection import Selection
from kybern.protos.api.v1.objects_pb2 import EventType, WatchEvent

LIMIT = 16_384  # events
ADDED, MODIFIED, DELETED = (
    EventType.EVENT_TYPE_ADDED,
    EventType.EVENT_TYPE_MODIFIED,
    EventType.EVENT_TYPE_DELETED,
)


class Watcher:
    """Events that match a selection, in order, none lost or repeated, until it is cut off."""

    __slots__ = ("_convert", "_wake", "cut_off", "limit", "queue", "seen", "selection", "stop")

    def __init__(self, selection: Selection, convert: Convert | None = None, limit: int = LIMIT) -> None:
        self.selection = selection
        self.queue: list[WatchEvent] = []
        self.seen = 0  # the newest revision offered
        self.cut_off = False
        self.limit = limit
        self.stop: Callable[[], None] = lambda: None
        self._convert = convert
        self._wake = asyncio.Event()

    def offer(self, event: CacheEvent) -> None:
        """Take an event if it concerns the selection, as what it looks like from there."""
        self.seen = event.revision
        kind = self._kind(event)
        if kind is None or self.cut_off:
            return
        if len(self.queue) >= self.limit:
            self.end()
            return
        self.queue.append(event.message(kind, self._convert))
        self._wake.set()

    def _kind(self, event: CacheEvent) -> int | None:
        """ADDED, MODIFIED or DELETED as seen through the selection; None if it is not seen."""
        matches = self.selection.matches
        if event.deleted:
            return DELETED if matches(event.entry) else None
        is_in = matches(event.entry)
        was_in = event.prev is not None and matches(event.prev)
        if is_in:
            return MODIFIED if was_in else ADDED
        return DELETED if was_in else None

    def end(self) -> None:
        """Cut the client off: what is queued is dropped, the stream ends."""
        self.cut_off = True
        self.queue.clear()
        self._wake.set()

    async def wait(self, seconds: float | None) -> list[WatchEvent]:
        """The next batch; empty after `seconds` without one, or at the end."""
        if not self.queue and not self.cut_off:
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                return []
        self._wake.clear()
        batch, self.queue = self.queue, []
        return batch
