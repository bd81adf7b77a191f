"""An answer's data on its way out over one stream: what the client's windows have no room for waits here."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from kybern.gateway.core.frames import chunk_data
from kybern.gateway.http.http2.outlet import Outlet, Piece
from kybern.gateway.http.reply import ResponseStream

if TYPE_CHECKING:
    from kybern.gateway.http.http2.stream import Stream

HIGH_WATER = 64 << 10  # bytes that wait before whoever writes has to


class Body(ResponseStream):
    """`waiting`: bytes; `queued`: whether the outlet knows; `ended`: nothing more is coming."""

    __slots__ = ("_drained", "_outlet", "_pieces", "_stream", "ended", "queued", "waiting")

    def __init__(self, stream: Stream, outlet: Outlet) -> None:
        self._stream, self._outlet = stream, outlet
        self._pieces: deque[Piece] = deque()
        self._drained: asyncio.Future[None] | None = None
        self.sent = self.waiting = 0
        self.queued = self.ended = False

    async def write(self, data: bytes) -> None:
        if data:
            self.push(data)
            await self._drain()

    async def write_framed(self, framed: bytes) -> None:
        self.push(chunk_data(framed))
        await self._drain()

    def send_now(self, data: bytes, framed: bytes) -> bool:
        if self.waiting > HIGH_WATER or self._stream.closed:
            return False
        self.push(data)
        return True

    def end(self) -> None:
        if not self.ended:
            self.push(b"", ends=True)

    def abort(self) -> None:
        self._stream.abort()

    def push(self, data: Piece, *, ends: bool = False) -> None:
        """Send, or let it wait."""
        stream, size = self._stream, len(data)
        if stream.closed or self.ended:
            return
        self.ended = ends
        self.sent += size
        if not self.waiting and (not size or (size <= stream.room and self._outlet.takes(size))):
            self._send(data, ends)
        elif size:
            self._pieces.append(data)
            self.waiting += size
            self.go_on()

    def go_on(self) -> None:
        """There may be room in the stream now."""
        if self.waiting and not self.queued and self._stream.room > 0:
            self.queued = True
            self._outlet.queue(self)

    def send_one(self, most: int) -> bool:
        """Send a frame with as many bytes at most; whether there is more, and room in the stream for it."""
        stream, self.queued = self._stream, False
        most = min(most, stream.room)
        if stream.closed or most <= 0:
            return False
        piece = self._pieces.popleft()
        if len(piece) > most:
            view = memoryview(piece)
            self._pieces.appendleft(view[most:])
            piece = view[:most]
        self.waiting -= len(piece)
        self._send(piece, self.ended and not self.waiting)
        if self.waiting <= HIGH_WATER:
            self.release()
        self.queued = self.waiting > 0 and stream.room > 0
        return self.queued

    def _send(self, piece: Piece, ends: bool) -> None:
        self._stream.room -= len(piece)
        self._outlet.data(self._stream.number, piece, ends=ends)
        if ends:
            self._stream.complete()

    def release(self) -> None:
        """Wake whoever waits in `write`."""
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    def drop(self) -> None:
        """Nobody takes the rest."""
        self._pieces.clear()
        self.waiting = 0
        if self.queued:
            self.queued = False
            self._outlet.forget(self)
        self.release()

    async def _drain(self) -> None:
        while self.waiting > HIGH_WATER and not self._stream.closed:
            if self._drained is None:
                self._drained = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._drained)
        if self._stream.closed and not self.ended:
            raise ConnectionResetError
