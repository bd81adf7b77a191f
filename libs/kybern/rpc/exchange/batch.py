"""What waits to be written to an Exchange, joined into as few messages as possible.

Each entry is a whole serialized ExchangeRequest or ExchangeResponse with one member. Protobuf merges messages whose
bytes are joined, so a batch is a join of bytes.
"""

import asyncio
from typing import Protocol

from kybern.rpc.exchange.link import Link

MAX_BATCH = 4 << 20  # bytes in one message, unless a single entry is larger
MAX_ENTRIES = 64  # in one message: small enough that both sides work at the same time
MAX_WAITING = 16 << 20  # bytes after which `room` waits


class Entry(Protocol):
    """Bytes, or what becomes bytes when it is sent."""

    def __len__(self) -> int: ...

    def __bytes__(self) -> bytes: ...


class Outbox:
    """Entries in order, sent over a link as soon as there is one that can take them."""

    def __init__(self, link: Link | None = None) -> None:
        self.link = link
        self._entries: list[Entry] = []
        self._size = 0
        self._scheduled = False
        self._room = asyncio.Event()
        self._room.set()

    def put(self, entry: Entry) -> None:
        """Queue an entry, to be sent with those of the same tick; never refused, so that cancellations and replies
        always fit. See `room`."""
        self._entries.append(entry)
        self._size += len(entry)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)
        if self._size > MAX_WAITING:
            self._room.clear()

    def hold(self) -> None:
        """Keep what is put until the next `flush`, which the caller owes."""
        self._scheduled = True

    def flush(self) -> None:
        """Send what waits, as far as the link takes it."""
        self._scheduled = False
        link = self.link
        while self._entries and link is not None and link.writable:
            link.send(self.take())

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
        """Return once everything was sent."""
        while self._entries:
            self._room.clear()
            await self._room.wait()

    def clear(self) -> None:
        """Forget what was not sent."""
        self._entries, self._size = [], 0
        self._room.set()
