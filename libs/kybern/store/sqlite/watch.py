"""Watching the embedded store: a watcher is a position in history, not a queue.

It reads from the recent past in memory, or from disk when it is further behind, at its own pace; a slow watcher costs
nobody memory. Watchers that have seen everything wait in the hub, which wakes only those a commit concerns and moves
the others along.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from kybern.store.contract import Event, EventKind, KeyValue, WatchBatch
from kybern.store.errors import CompactedError
from kybern.store.sqlite.database import Database, Row
from kybern.store.sqlite.index import MAX_WRITES, SUB_BITS, Index
from kybern.store.sqlite.readers import Reader
from kybern.store.sqlite.recent import RecentEvents

PAGE = 1000
LAG = 0.02  # seconds that a watch without `own` may be behind


@dataclass(slots=True, eq=False)
class Waiter:
    """A watcher that has seen everything before `next`."""

    prefix: str
    next: int
    wake: "asyncio.Future[None]"
    own: bool
    _timer: asyncio.TimerHandle | None = None

    def wake_later(self) -> None:
        """What has happened is known where it is watched: it comes with what follows."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LAG, _wake, self)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class WatchHub:
    """All watches of one store."""

    def __init__(self, revision: int, compacted: int, capacity: int, index: Index, reader: Reader) -> None:
        self.compacted = compacted
        self.closed = False
        self._recent = RecentEvents(capacity, revision)
        self._index = index
        self._reader = reader
        self._waiters: dict[Waiter, None] = {}

    def publish(self, events: Sequence[Event], told: bool) -> None:
        """The next revision is durable; `told`: who made it is in this process and waits for its answer."""
        self._recent.add(events)
        for waiter in self._waiters:
            if waiter.wake.done():
                continue
            if told and not waiter.own:
                waiter.wake_later()
                continue
            for event in events:
                if event.kv.key.startswith(waiter.prefix):
                    waiter.wake.set_result(None)
                    break
            else:
                waiter.next = max(waiter.next, self._recent.last + 1)

    def close(self) -> None:
        """End all watches."""
        self.closed = True
        for waiter in self._waiters:
            _wake(waiter)

    async def watch(
        self, prefix: str, start: int, progress: float, own: bool = True
    ) -> AsyncGenerator[WatchBatch, None]:
        """See Store.watch."""
        position = start
        while not self.closed:
            if position <= self.compacted:
                raise CompactedError(position, self.compacted)
            if position > self._recent.last:
                position, idle = await self._wait(prefix, position, progress, own)
                if idle and not self.closed:
                    # Not simply the last revision: an event may have arrived in the same moment as the timeout.
                    yield WatchBatch(min(position - 1, self._recent.last))
                continue
            events, last = await self._events(prefix, position)
            position = last + 1
            if events:
                yield WatchBatch(last, events)

    async def _wait(self, prefix: str, position: int, progress: float, own: bool) -> tuple[int, bool]:
        """Until something concerns the prefix; the new position, and whether `progress` seconds went by instead."""
        waiter = Waiter(prefix, position, asyncio.get_running_loop().create_future(), own)
        self._waiters[waiter] = None
        try:
            async with asyncio.timeout(progress or None):
                await waiter.wake
        except TimeoutError:
            return waiter.next, True
        finally:
            del self._waiters[waiter]
            waiter.close()
        return waiter.next, False

    async def _events(self, prefix: str, first: int) -> tuple[list[Event], int]:
        """Some events from revision `first` on, and the revision up to which they are complete."""
        if first < self._recent.first:
            return await self._replay(prefix, first, self._recent.last)
        groups = self._recent.since(first, PAGE)
        events = [event for group in groups for event in group if event.kv.key.startswith(prefix)]
        return events, first + len(groups) - 1

    async def _replay(self, prefix: str, first: int, last: int) -> tuple[list[Event], int]:
        rows = await self._reader.run(lambda database: _history(database, first, last))
        if len(rows) >= PAGE:
            last = rows[-1].id >> SUB_BITS
        rows = [row for row in rows if row.key.startswith(prefix)]
        versions = {row.id: before for row in rows if (before := self._index.before(row.key, row.id))}
        values = await self._reader.run(lambda database: database.read([v.id for v in versions.values()]))
        if first <= self.compacted:
            raise CompactedError(first, self.compacted)
        events = []
        for row in rows:
            before = versions.get(row.id)
            prev = None
            if before is not None and before.id in values:
                value = values[before.id]
                prev = KeyValue(row.key, value, before.create_revision, before.revision, before.version, before.lease)
            events.append(_event(row, prev))
        return events, last


def _history(database: Database, first: int, last: int) -> list[Row]:
    """At least one whole revision; a full page ends with a whole one."""
    first_id, last_id = first << SUB_BITS, ((last + 1) << SUB_BITS) - 1
    rows = database.history(first_id, last_id, PAGE)
    if len(rows) < PAGE:
        return rows
    final = rows[-1].id >> SUB_BITS << SUB_BITS
    return rows + database.history(rows[-1].id + 1, final + MAX_WRITES - 1, MAX_WRITES)


def _event(row: Row, prev: KeyValue | None) -> Event:
    kind = EventKind.PUT if row.version else EventKind.DELETE
    kv = KeyValue(row.key, row.value, row.create_revision, row.id >> SUB_BITS, row.version, row.lease)
    return Event(kind, kv, prev)


def _wake(waiter: Waiter) -> None:
    if not waiter.wake.done():
        waiter.wake.set_result(None)
