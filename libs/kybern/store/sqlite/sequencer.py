"""Decides transactions: compares, numbers and indexes them in the event loop, before they are on disk.

`head` counts what was decided, `visible` what is durable; readers see `visible` only. Answers, failed comparisons
included, wait until everything they were decided upon is durable. If a commit fails, all that was decided since is
taken back and answered with the error.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kybern.store.contract import Check, Delete, Event, KeyValue, Put, TxnResult, Write, event_of
from kybern.store.errors import StoreError
from kybern.store.sqlite.database import Row
from kybern.store.sqlite.index import MAX_WRITES, SUB_BITS, Index, Version
from kybern.store.sqlite.recent import RecentValues
from kybern.store.sqlite.writer import Item, Writer

Statements = Sequence[tuple[str, Sequence[tuple[Any, ...]]]]


@dataclass(slots=True)
class Decision:
    """A transaction on its way to disk."""

    writes: Sequence[Write]
    heads: Sequence[Version | None]
    succeeded: bool
    revision: int  # 0: changes nothing
    values: dict[int, bytes] = field(default_factory=dict)
    told: bool = False  # the caller of `submit` is who watches

    def result(self, visible: int, current: list[KeyValue | None], events: Sequence[Event]) -> TxnResult:
        """What the caller is told."""
        return TxnResult(self.succeeded, self.revision or visible, current, False, events)

    def events(self, current: list[KeyValue | None]) -> list[Event]:
        """What watchers are told."""
        pairs = zip(self.writes, current, strict=True)
        return [e for write, prev in pairs if (e := event_of(write, prev, self.revision)) is not None]

    def current(self) -> list[KeyValue | None]:
        """The versions that it was decided upon."""
        pairs = zip(self.writes, self.heads, strict=True)
        return [key_value(w.key, head, self.values[head.id]) if head else None for w, head in pairs]


def key_value(key: str, version: Version, value: bytes) -> KeyValue:
    """A version with its value."""
    return KeyValue(key, value, version.create_revision, version.revision, version.version, version.lease)


def matches(write: Write, head: Version | None) -> bool:
    """Whether the key is as the write expects."""
    return write.expected is None or write.expected == (head.revision if head else 0)


class Sequencer:
    """Index, revision counter and the way to the writer."""

    def __init__(
        self,
        index: Index,
        values: RecentValues,
        writer: Writer,
        revision: int,
        on_commit: Callable[[Sequence[Event], bool], None],
    ) -> None:
        self.visible = revision
        self._head = revision
        self._index = index
        self._values = values
        self._writer = writer
        self._on_commit = on_commit
        self._epoch = 0
        self._undecided: deque[tuple[int, list[str]]] = deque()

    def submit(
        self, writes: Sequence[Write], statements: Statements = (), told: bool = False
    ) -> "asyncio.Future[TxnResult]":
        """Decide now; the future is done when it is durable. `statements` run if the comparisons succeed."""
        if len(writes) >= MAX_WRITES:
            raise ValueError(f"a transaction may have at most {MAX_WRITES - 1} writes")
        decision, rows = self._decide(writes)
        decision.told = told
        future: asyncio.Future[TxnResult] = asyncio.get_running_loop().create_future()
        todo, reads = statements if decision.succeeded else (), self._take_values(decision)
        done = partial(self._finish, decision, future)
        self._writer.submit(Item(rows, todo, reads, epoch=self._epoch, done=done))
        return future

    def _take_values(self, decision: Decision) -> list[int]:
        """Previous values from memory; the ids of those the writer must read."""
        missing = []
        for head in decision.heads:
            if head is not None:
                value = self._values.get(head.id)
                if value is None:
                    missing.append(head.id)
                else:
                    decision.values[head.id] = value
        return missing

    def _decide(self, writes: Sequence[Write]) -> tuple[Decision, list[Row]]:
        heads = [self._index.head(write.key) for write in writes]
        if not all(map(matches, writes, heads)):
            return Decision(writes, heads, False, 0), []
        revision = self._head + 1
        rows: list[Row] = []
        for write, head in zip(writes, heads, strict=True):
            row = _row(write, head, revision, len(rows))
            if row is not None:
                rows.append(row)
                self._index.append(row.key, Version(row.id, row.create_revision, row.version, row.lease))
                if row.version:
                    self._values.add(row.id, row.value)
        if not rows:
            return Decision(writes, heads, True, 0), []
        self._head = revision
        self._undecided.append((revision, [row.key for row in rows]))
        return Decision(writes, heads, True, revision), rows

    def _finish(
        self, decision: Decision, future: "asyncio.Future[TxnResult]", item: Item, error: StoreError | None
    ) -> None:
        if error is not None:
            self._take_back(item.epoch)
            if not future.done():
                future.set_exception(error)
            return
        if item.values:
            decision.values.update(item.values)
        events: Sequence[Event] = ()
        current = decision.current()
        if decision.revision:
            events = decision.events(current)
            self.visible = decision.revision
            self._undecided.popleft()
            self._on_commit(events, decision.told and not future.done())
        if not future.done():
            future.set_result(decision.result(self.visible, current, events))

    def _take_back(self, epoch: int) -> None:
        """Undo all decisions that are not durable, once per failure."""
        if epoch != self._epoch:
            return
        self._epoch += 1
        self._index.rollback(self.visible, [key for _, keys in self._undecided for key in keys])
        self._values.drop_from((self.visible + 1) << SUB_BITS)
        self._undecided.clear()
        self._head = self.visible


def _row(write: Write, head: Version | None, revision: int, sub: int) -> Row | None:
    version_id = (revision << SUB_BITS) + sub
    match write:
        case Put():
            created = head.create_revision if head else revision
            return Row(version_id, write.key, created, head.version + 1 if head else 1, write.lease, write.value)
        case Delete() if head is not None:
            return Row(version_id, write.key, 0, 0, 0, b"")
        case Delete() | Check():
            return None
