"""Watcher: one client's watch on one cache. It is offered events as they are committed and takes them in batches.

Watchers that select the same are one audience: an event is judged and put into a message once for all of them, and the
batches they take at the same time are the same. A watcher's queue is bounded: a client that does not keep up is cut off
(its stream ends, it watches again from where it was) and never slows the others down.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator

from kybern.apiserver.storage.entry import CacheEvent, Convert
from kybern.apiserver.storage.selection import Selection
from kybern.protos.api.v1.objects_pb2 import EventType, WatchEvent, WatchResponse

LIMIT = 16_384  # events
BATCH_EVENTS, BATCH_BYTES = 1000, 1 << 20
ADDED, MODIFIED, DELETED = (
    EventType.EVENT_TYPE_ADDED,
    EventType.EVENT_TYPE_MODIFIED,
    EventType.EVENT_TYPE_DELETED,
)


class Watcher:
    """Events that match a selection, in order, none lost or repeated, until it is cut off."""

    __slots__ = ("_wake", "audience", "cut_off", "limit", "queue", "stop")

    def __init__(self, audience: "Audience", limit: int = LIMIT) -> None:
        self.audience = audience
        self.queue: list[WatchEvent] = []
        self.cut_off = False
        self.limit = limit
        self.stop: Callable[[], None] = lambda: None
        self._wake = asyncio.Event()

    def push(self, event: WatchEvent) -> None:
        """Queue an event that concerns the selection."""
        if self.cut_off:
            return
        if len(self.queue) >= self.limit:
            self.end()
            return
        self.queue.append(event)
        self._wake.set()

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


class Audience:
    """The watchers with one selection that see objects in one version."""

    __slots__ = ("_convert", "_events", "_responses", "members", "selection")

    def __init__(self, selection: Selection, convert: Convert | None = None) -> None:
        self.selection = selection
        self.members: dict[Watcher, None] = {}  # in order of arrival, so that a simulation repeats itself
        self._convert = convert
        self._events: list[WatchEvent] = []
        self._responses: list[WatchResponse] = []

    @property
    def key(self) -> tuple[Selection, Convert | None]:
        """What its members have in common."""
        return self.selection, self._convert

    def offer(self, event: CacheEvent) -> None:
        """Give the event to every member, if it concerns them."""
        message = self.message(event)
        if message is not None:
            for member in tuple(self.members):
                member.push(message)

    def message(self, event: CacheEvent) -> WatchEvent | None:
        """What an event looks like through the selection; None if it is not seen."""
        kind = self._kind(event)
        return None if kind is None else event.message(kind, self._convert)

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

    def responses(self, events: list[WatchEvent]) -> list[WatchResponse]:
        """Events in messages of bounded size; the very same ones for members that ask for the same events."""
        known = self._events
        if not events:
            return []
        if len(known) != len(events) or known[0] is not events[0] or known[-1] is not events[-1]:
            self._events, self._responses = events, list(batches(events))
        return self._responses


def batches(events: Iterable[WatchEvent]) -> Iterator[WatchResponse]:
    """Events in messages of bounded size."""
    batch: list[WatchEvent] = []
    size = 0
    for event in events:
        batch.append(event)
        size += len(event.object)
        if len(batch) >= BATCH_EVENTS or size >= BATCH_BYTES:
            yield WatchResponse(events=batch)
            batch, size = [], 0
    if batch:
        yield WatchResponse(events=batch)
