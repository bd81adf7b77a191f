"""What waits to be written to an Exchange, joined into as few messages as possible.

Each entry is a whole serialized ExchangeRequest or ExchangeResponse with one member. Protobuf merges messages whose
bytes are joined, so a batch is a join of bytes.
"""

import asyncio
from typing import Protocol

MAX_BATCH = 4 << 20  # bytes in one message, unless a single entry is larger
MAX_ENTRIES = 64  # in one message: small enough that both sides work at the same time
MAX_WAITING = 16 << 20  # bytes after which `room` waits


class Entry(Protocol):
    """Bytes, or what becomes bytes when it is sent."""

    def __len__(self) -> int: ...

    def __bytes__(self) -> bytes: ...


class Outbox:
    """Entries in order; one writer, any number of callers."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._size = 0
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def put(self, entry: Entry) -> None:
        """Queue an entry; never refused, so that cancellations and replies always fit. See `room`."""
        self._entries.append(entry)
        self._size += len(entry)
        self._something.set()
        if self._size > MAX_WAITING:
            self._room.clear()

    @property
    def last(self) -> Entry | None:
        """The newest entry, if it has not been sent."""
        return self._entries[-1] if self._entries else None

    @property
    def has_room(self) -> bool:
        return self._room.is_set()

    async def room(self) -> None:
        """Return once the entries waiting are few enough to add more."""
        while not self._room.is_set():
            await self._room.wait()

    def __len__(self) -> int:
        return len(self._entries)

    async def batch(self) -> bytes:
        """The next message; waits for something to send."""
        await self.filled()
        return self.take()

    async def filled(self) -> None:
        """Return once there is something to send."""
        while not self._entries:
            self._something.clear()
            await self._something.wait()

    def take(self) -> bytes:
        """The next message; empty if nothing waits."""
        entries, size = self._entries, self._size
        if size <= MAX_BATCH and len(entries) <= MAX_ENTRIES:
            self._entries = []
        else:
            size, count = 0, 0
            while count < min(len(entries), MAX_ENTRIES) and (not count or size + len(entries[count]) <= MAX_BATCH):
                size += len(entries[count])
                count += 1
            self._entries, entries = entries[count:], entries[:count]
        self._size -= size
        if self._size <= MAX_WAITING:
            self._room.set()
        return b"".join(map(bytes, entries))

    async def empty(self) -> None:
        """Return once the writer has taken everything."""
        while self._entries:
            self._room.clear()
            await self._room.wait()

    def clear(self) -> None:
        """Forget what was not sent."""
        self._entries, self._size = [], 0
        self._room.set()
