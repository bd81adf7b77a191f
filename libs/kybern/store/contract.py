"""The Store contract: one flat, ordered, versioned key space, with etcd's rules.

Every transaction that changes something gets the next revision, and all its writes share it. A key's `mod_revision` is
its resourceVersion. Reads without a revision are linearizable: they see every write acknowledged before they started.
A write is acknowledged when it is on disk. Old versions stay readable, and watchable, until `compact`.

Keys are text without lone surrogates; they sort by code point, which is also the order of their UTF-8 bytes.
Not promised: reads inside a transaction (compare on `expected` instead), and fairness between writers.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

ABSENT = 0
"""`expected=ABSENT`: the key must not exist."""


class KeyValue(NamedTuple):
    """One version of one key. In a DELETE event `value` is empty and only key and mod_revision mean something.
    `unreadable` says why the value cannot be read (wrong encryption key, damage); `value` is empty then."""

    key: str
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease: int = 0
    unreadable: str = ""


class EventKind(Enum):
    """What happened to a key."""

    PUT = "PUT"
    DELETE = "DELETE"


class Event(NamedTuple):
    """One change of one key. `prev` is the version before it, None for a creation (or when `prev` was compacted)."""

    kind: EventKind
    kv: KeyValue
    prev: KeyValue | None = None


@dataclass(frozen=True, slots=True)
class RangeResult:
    """One page. `revision` is what the page shows (pass it on to get the next page of the same state); `count` is
    how many keys the request matched without its limit, counted from `start_after`."""

    items: list[KeyValue]
    revision: int
    more: bool
    count: int


@dataclass(frozen=True, slots=True)
class Put:
    """Write a value. `expected`: the key's mod_revision must be this; ABSENT = must not exist; None = don't care."""

    key: str
    value: bytes
    expected: int | None = None
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a key. Deleting what is not there changes nothing (and is an error only if `expected` says so)."""

    key: str
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Write nothing, but let the transaction fail unless the key is as expected."""

    key: str
    expected: int


Write = Put | Delete | Check


class TxnResult(NamedTuple):
    """`current` has one entry per write, in order. Succeeded: the version before the transaction. Failed: the version
    now, so that the caller can tell which comparison failed and why. `revision` is the transaction's revision if it
    changed something, else the store's. `presumed`: its answer was lost, and the state is what it wanted; the versions
    before are not known. `events`: those of a success, where the store has made them; see `events_of`."""

    succeeded: bool
    revision: int
    current: list[KeyValue | None]
    presumed: bool = False
    events: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class WatchBatch:
    """Events in revision order; all events of one revision are in one batch. Everything up to and including
    `revision` has now been delivered. No events: a progress note."""

    revision: int
    events: Sequence[Event] = ()


class Store(Protocol):
    """See the module's docstring. All methods raise StoreUnavailable when the store cannot answer."""

    exclusive: bool
    """True if this process is the only writer. Then `events_of` a TxnResult may be applied by the caller at once,
    without waiting for its watch; only the expiry of leases is still news that comes from the watch alone."""

    async def get(self, key: str, revision: int = 0) -> tuple[KeyValue | None, int]:
        """The key (at that revision; 0 = now) and the store's revision that this shows."""
        ...

    async def range(self, prefix: str, *, start_after: str = "", limit: int = 0, revision: int = 0) -> RangeResult:
        """Keys under the prefix in order, strictly after `start_after`, at most `limit` (0 = all).

        Raises CompactedError, FutureRevisionError."""
        ...

    async def txn(self, writes: Sequence[Write]) -> TxnResult:
        """All or nothing, one revision. A key may appear once. Raises LeaseNotFoundError, StoreFull, ValueError."""
        ...

    def watch(
        self, prefix: str, *, start_revision: int, progress: float = 10.0, own: bool = True
    ) -> AsyncGenerator[WatchBatch, None]:
        """Every event from `start_revision` (inclusive; 0 = what happens after the first `anext`) on, in order, none
        lost or repeated, lost connections included. CompactedError when history is gone; a future revision waits.
        A watch that is idle gets a progress note about every `progress` seconds where the store can give one
        (0 = none). `own=False`: what `txn` answers to this process may come some milliseconds late, so that it comes
        together. End it with `aclose()` (or cancel its task)."""
        ...

    async def request_progress(self) -> None:
        """Let open watches of a shared store say soon up to which revision they are complete, in a progress note."""
        ...

    async def revision(self) -> int:
        """The current revision, linearizable."""
        ...

    async def outdated(self, key: str) -> bool:
        """Whether the key's value would be stored in another form if it were written now (its encryption key is not
        the one in use)."""
        ...

    async def lease_grant(self, ttl: float) -> int:
        """A new lease's id. Keys put with it are deleted when it is not kept alive for `ttl` seconds."""
        ...

    async def lease_keepalive(self, lease: int) -> float:
        """Start the lease's time anew; its ttl in seconds. Raises LeaseNotFoundError."""
        ...

    async def lease_revoke(self, lease: int) -> None:
        """End the lease and delete its keys, in one revision unless they are very many. Raises LeaseNotFoundError."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget what was replaced or deleted at or before the revision: reads below it and watches that start at or
        below it fail. Raises CompactedError (already done), FutureRevisionError."""
        ...

    async def snapshot(self, path: Path) -> int:
        """Write a consistent copy to a new file, atomically; the revision it holds at least."""
        ...

    async def close(self) -> None:
        """Let what is under way finish, end all watches, give the files and connections back."""
        ...


def events_of(writes: Sequence[Write], result: TxnResult) -> list[Event]:
    """The events a successful transaction caused, exactly as a watch will deliver them."""
    if not result.succeeded:
        return []
    if result.events:
        return [*result.events]
    events = []
    for write, prev in zip(writes, result.current, strict=True):
        event = event_of(write, prev, result.revision)
        if event is not None:
            events.append(event)
    return events


def event_of(write: Write, prev: KeyValue | None, revision: int) -> Event | None:
    """What one write does to a key whose state was `prev`."""
    if isinstance(write, Put):
        created = prev.create_revision if prev else revision
        version = prev.version + 1 if prev else 1
        kv = KeyValue(write.key, write.value, created, revision, version, write.lease)
        return Event(EventKind.PUT, kv, prev)
    if isinstance(write, Delete) and prev is not None:
        return Event(EventKind.DELETE, KeyValue(write.key, b"", 0, revision, 0), prev)
    return None


def check_writes(writes: Sequence[Write]) -> None:
    """Raise ValueError (or TypeError) for a transaction no store accepts."""
    if not writes:
        raise ValueError("a transaction needs at least one write")
    if len(writes) > 1 and len({write.key for write in writes}) != len(writes):
        raise ValueError("a transaction may name a key only once")
    for write in writes:
        if not write.key:
            raise ValueError("a key may not be empty")
        if not write.key.isascii():
            write.key.encode()  # UnicodeEncodeError is a ValueError
        if isinstance(write, Put) and not isinstance(write.value, bytes):
            raise TypeError(f"the value of {write.key} is not bytes")
