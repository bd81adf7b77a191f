"""A request body that is read while it comes: the client is held back while nobody takes what it sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Protocol

HIGH_WATER = 256 << 10  # bytes that wait before reading stops


class Sender(Protocol):
    """Whoever sends the body."""

    def hold(self) -> None: ...

    def go_on(self) -> None: ...

    def cut_off(self) -> None: ...


class IncomingBody:
    """Fed by the connection; iterate once."""

    def __init__(self, sender: Sender) -> None:
        self.complete = False
        self._sender = sender
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._arrived = asyncio.Event()
        self.paused = False  # the client waits for the reader
        self._then: Callable[[], None] | None = None

    def discard(self, then: Callable[[], None]) -> None:
        """Nobody reads the rest: call back once it is here; a client that has much more to say is cut off."""
        self._then = then
        self._pieces.clear()
        self._size = 0
        self._resume()

    def feed(self, data: bytes) -> None:
        """Bytes from the network."""
        if not data:
            return  # to whoever carries it on an empty piece is the end
        self._size += len(data)
        if self._then is not None:
            if self._size > HIGH_WATER:
                self._sender.cut_off()
            return
        self._pieces.append(data)
        self._arrived.set()
        if self._size > HIGH_WATER and not self.paused:
            self.paused = True
            self._sender.hold()

    def end(self) -> None:
        """The body is whole."""
        self.complete = True
        self._arrived.set()
        if self._then is not None:
            self._then()

    def _resume(self) -> None:
        if self.paused:
            self.paused = False
            self._sender.go_on()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._size -= len(piece)
                if self._size < HIGH_WATER // 2:
                    self._resume()
                yield piece
            if self.complete:
                return
            self._arrived.clear()
            await self._arrived.wait()
