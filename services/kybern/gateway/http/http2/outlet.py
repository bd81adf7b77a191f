"""What goes out over one connection: frames of all streams in turns, within the client's windows and at its pace.

Whatever is written in one turn of the loop goes out in one piece. While the client does not read, bodies wait; what has
to be said anyway is bounded, and a client that lets more of it come up is cut off.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from kybern.gateway.http.closed import CLOSED
from kybern.rpc.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FIRST_FRAME,
    FIRST_WINDOW,
    HEADERS,
    frame,
)

if TYPE_CHECKING:
    from kybern.gateway.http.http2.body import Body

AT_ONCE = 64 << 10  # bytes that are put together before they are written
MAX_BACKLOG = 1 << 20  # bytes said while the client does not read
Piece = bytes | memoryview


class Outlet:
    """`room`, `first_room` (a new stream's) and `frame` are the client's: bytes that it takes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.transport: Any = CLOSED
        self.room = self.first_room = FIRST_WINDOW
        self.frame = FIRST_FRAME
        self.first_block = b""  # what the next header block has to begin with
        self._loop = loop
        self._paused = False
        self._backlog = 0
        self._pieces: list[Piece] = []
        self._size = 0
        self._ready: deque[Body] = deque()  # bodies with data and room in their streams

    # The transport's side

    def flush(self) -> None:
        """Hand over what has come together."""
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            self.transport.write(data)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused, self._backlog = False, 0
        self.pump()

    # The streams' side

    def write(self, piece: Piece) -> None:
        """Frames that wait for nothing."""
        if not self._pieces:
            self._loop.call_soon(self.flush)
        self._pieces.append(piece)
        self._size += len(piece)
        if self._paused:
            self._backlog += len(piece)
            if self._backlog > MAX_BACKLOG:
                self.transport.abort()

    def headers(self, number: int, block: bytes, *, ends: bool = False) -> None:
        """A header block; `ends`: nothing follows."""
        if self.first_block:
            block, self.first_block = self.first_block + block, b""
        flags = END_STREAM if ends else 0
        size = len(block)
        if size <= self.frame:
            self.write(frame(size, HEADERS, flags | END_HEADERS, number) + block)
            return
        for at in range(0, size, self.frame):
            part = block[at : at + self.frame]
            last = END_HEADERS if at + len(part) == size else 0
            kind, said = (CONTINUATION, last) if at else (HEADERS, flags | last)
            self.write(frame(len(part), kind, said, number) + part)

    def takes(self, size: int) -> bool:
        """Whether a frame with as much data can go out now."""
        return size <= self.room and size <= self.frame and not self._paused

    def data(self, number: int, data: Piece, *, ends: bool) -> None:
        """One frame with data, for which there is room."""
        size = len(data)
        self.room -= size
        self.write(frame(size, DATA, END_STREAM if ends else 0, number))
        if size:
            self._pieces.append(data)
            self._size += size

    def queue(self, body: Body) -> None:
        """A body has something that waits, and room in its stream."""
        self._ready.append(body)
        self.pump()

    def forget(self, body: Body) -> None:
        """A body that is not sent."""
        self._ready.remove(body)

    def pump(self) -> None:
        """Send what bodies have, a frame of each in turn, as long as the client takes it."""
        while self._ready and self.room > 0 and not self._paused:
            body = self._ready.popleft()
            if body.send_one(min(self.room, self.frame)):
                self._ready.append(body)
            if self._size >= AT_ONCE:
                self.flush()

    def clear(self) -> None:
        """The connection is gone."""
        self.transport = CLOSED
        self._ready.clear()
        self._pieces.clear()
