"""Group commit: everything that waits is made durable by one fsync, and answered after it.

The event loop decides (order, revisions, comparisons); the writer only carries out. `ThreadWriter` owns one thread:
while it waits for the disk, more items gather, and the next round takes them all. `InlineWriter` does the same in
place, for simulations. Items are finished in the order of `submit`, in the event loop.

The queue needs no bound of its own: each item has a caller who waits for it, and callers are bounded before they come
here. When a round fails, so does every item of the same epoch: their comparisons may have seen what did not happen.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from kybern.store.errors import StoreError, StoreUnavailable
from kybern.store.sqlite.database import Batchable, BrokenDisk, Database

log = logging.getLogger(__name__)
ROUND_ITEMS = 1024
ROUND_BYTES = 16 << 20


@dataclass(slots=True)
class Item(Batchable):
    """A Batchable with its place in time and what to do after it: `done(item, error)`."""

    epoch: int = 0
    done: Callable[["Item", StoreError | None], None] = lambda item, error: None


class Writer(Protocol):
    """Makes items durable, in order."""

    def submit(self, item: Item) -> None:
        """Queue it; `item.done` is called in the event loop."""
        ...

    async def close(self) -> None:
        """Finish what was submitted, then stop."""
        ...


class Rounds:
    """Commits a round of items; remembers what failed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._failed_epoch = -1
        self._failure: StoreError | None = None

    def commit(self, items: Sequence[Item]) -> list[StoreError | None]:
        """Each item's outcome."""
        todo = [item for item in items if item.epoch > self._failed_epoch]
        broken = isinstance(self._failure, BrokenDisk)
        if todo and not broken:
            try:
                self._database.commit(todo)
            except Exception as e:  # a writer that died would leave everybody waiting
                log.error("commit failed: %s", e, exc_info=not isinstance(e, StoreError))
                self._failed_epoch = max(item.epoch for item in todo)
                self._failure = e if isinstance(e, StoreError) else StoreUnavailable(f"commit failed: {e!r}")
        elif broken:
            self._failed_epoch = max(item.epoch for item in items)
        return [self._failure if item.epoch <= self._failed_epoch else None for item in items]


class InlineWriter:
    """Commits in the caller, at once: no thread, so a simulation stays deterministic."""

    def __init__(self, database: Database) -> None:
        self._rounds = Rounds(database)

    def submit(self, item: Item) -> None:
        """Commit and finish it."""
        item.done(item, self._rounds.commit([item])[0])

    async def close(self) -> None:
        """Nothing is ever pending."""


class ThreadWriter:
    """Commits in a thread of its own."""

    def __init__(self, database: Database, loop: asyncio.AbstractEventLoop) -> None:
        self._rounds = Rounds(database)
        self._loop = loop
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> None:
        """Queue it."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._queue.put(item)

    async def close(self) -> None:
        """Finish what is queued and end the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # let the last round's answers run

    def _run(self) -> None:
        while (items := self._next_round())[-1] is not None:
            self._finish([item for item in items if item is not None])
        self._finish([item for item in items if item is not None])

    def _next_round(self) -> list[Item | None]:
        """Wait for one item, then take all that wait; None, always last, means stop."""
        items = [self._queue.get()]
        size = 0
        while items[-1] is not None and len(items) < ROUND_ITEMS and size < ROUND_BYTES and not self._queue.empty():
            size += sum(len(row.value) for row in items[-1].rows)
            items.append(self._queue.get())
        return items

    def _finish(self, items: list[Item]) -> None:
        if not items:
            return
        outcomes = self._rounds.commit(items)
        self._loop.call_soon_threadsafe(_answer, items, outcomes)


def _answer(items: list[Item], outcomes: list[StoreError | None]) -> None:
    for item, outcome in zip(items, outcomes, strict=True):
        item.done(item, outcome)
