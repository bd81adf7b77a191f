"""Watcher: one client's watch on one cache. It is offered events as they are committed and takes them in batches.

Watchers that select the same are one audience: an event is judged and put into a message once for all of them, and the
batches they take at the same time are the same. A crowd hears the first event at once and what follows it together a
few milliseconds later: an event costs a share of what it costs to reach everybody. So do a few in a flood of events:
a message costs them, and the server, more than the event in it. A watcher's queue is bounded: a
client that does not keep up is cut off (its stream ends, it watches again from where it was) and never slows the others
down.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator

from kybern.apiserver.storage.entry import CacheEvent, Convert
from kybern.apiserver.storage.selection import Selection
from kybern.protos.api.v1.objects_pb2 import EventType, WatchEvent, WatchResponse

LIMIT = 16_384  # events
CROWD = 16  # members from which an audience is told of several events at a time
PAUSE, LONGEST_PAUSE = 0.00015, 0.05  # seconds between two times: for each member, and at most
FLOOD, FLOOD_SECONDS, FLOOD_PAUSE = 500, 0.05, 0.005  # events a second, over so long; and the pause then
BATCH_EVENTS, BATCH_BYTES = 1000, 1 << 20
ADDED, MODIFIED, DELETED = (
    EventType.EVENT_TYPE_ADDED,
    EventType.EVENT_TYPE_MODIFIED,
    EventType.EVENT_TYPE_DELETED,
)


Direct = Callable[[list[WatchResponse]], bool]


class Watcher:
    """Events that match a selection, in order, none lost or repeated, until it is cut off.

    Who sets `direct` is handed batches there while they wait for one; it says whether it could take them.
    """

    __slots__ = ("_waits", "_wake", "audience", "cut_off", "direct", "limit", "queue", "slow", "stop")

    def __init__(self, audience: "Audience", limit: int = LIMIT) -> None:
        self.audience = audience
        self.queue: list[WatchEvent] = []
        self.cut_off = self.slow = False
        self.limit = limit
        self.direct: Direct | None = None
        self.stop: Callable[[], None] = lambda: None
        self._wake = asyncio.Event()
        self._waits = False

    def push(self, events: list[WatchEvent]) -> None:
        """Hand over events that concern the selection, or queue them."""
        if self.cut_off:
            return
        if self._waits and not self.queue and self.direct is not None and self.direct(self.audience.responses(events)):
            return
        if len(self.queue) + len(events) > self.limit:
            self.slow = True
            self.end()
            return
        self.queue += events
        self._wake.set()

    def end(self) -> None:
        """Cut the client off: what is queued is dropped, the stream ends."""
        self.cut_off = True
        self.queue.clear()
        self._wake.set()

    async def wait(self, seconds: float | None) -> list[WatchEvent]:
        """The next batch; empty after `seconds` without one, or at the end."""
        if not self.queue and not self.cut_off:
            self._waits = True
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                return []
            finally:
                self._waits = False
        self._wake.clear()
        batch, self.queue = self.queue, []
        return batch


class Audience:
    """The watchers with one selection that see objects in one version."""

    __slots__ = (
        "_convert", "_count", "_counted", "_events", "_flood", "_pending", "_responses", "_told",
        "members", "selection",
    )  # fmt: skip

    def __init__(self, selection: Selection, convert: Convert | None = None) -> None:
        self.selection = selection
        self.members: dict[Watcher, None] = {}  # in order of arrival, so that a simulation repeats itself
        self._convert = convert
        self._pending: list[WatchEvent] = []  # what the members have not been told
        self._told = 0.0  # when they were told last, in the loop's time, or will be told
        self._count, self._counted, self._flood = 0, 0.0, False  # events since a time; whether they are many
        self._events: list[WatchEvent] = []
        self._responses: list[WatchResponse] = []

    @property
    def key(self) -> tuple[Selection, Convert | None]:
        """What its members have in common."""
        return self.selection, self._convert

    def join(self, member: Watcher) -> None:
        """Tell the watcher everything from now on."""
        self.tell()
        self.members[member] = None

    def offer(self, event: CacheEvent) -> None:
        """Give the event to every member, if it concerns them, at once or a moment after the last time."""
        message = self.message(event)
        if message is None:
            return
        self._pending.append(message)
        loop = asyncio.get_running_loop()
        now = loop.time()
        pause = self._pause(now)
        if not pause:
            self.tell()
        elif len(self._pending) == 1:
            self._told = max(now, self._told + pause)
            if self._told > now:
                loop.call_at(self._told, self.tell)
            else:
                self.tell()

    def _pause(self, now: float) -> float:
        """Seconds between two times that the members are told of something."""
        self._count += 1
        elapsed = now - self._counted
        if elapsed >= FLOOD_SECONDS:
            self._flood = self._count > FLOOD * elapsed
            self._count, self._counted = 0, now
        if len(self.members) >= CROWD:
            return min(len(self.members) * PAUSE, LONGEST_PAUSE)
        return FLOOD_PAUSE if self._flood else 0.0

    def tell(self) -> None:
        """Let the members know of everything that was offered."""
        events, self._pending = self._pending, []
        for part in (events,) if len(events) == 1 else parts(events):
            self._events, self._responses = part, [WatchResponse(events=part)]
            for member in tuple(self.members):
                member.push(part)

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
    for part in parts(events):
        yield WatchResponse(events=part)


def parts(events: Iterable[WatchEvent]) -> Iterator[list[WatchEvent]]:
    """Events in lists of bounded size."""
    part: list[WatchEvent] = []
    size = 0
    for event in events:
        part.append(event)
        size += len(event.object)
        if len(part) >= BATCH_EVENTS or size >= BATCH_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
