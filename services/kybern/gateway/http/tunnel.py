"""The client's side of a connection that has left HTTP: bytes both ways, each at the reader's pace."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kybern.gateway.http.http1.connection import Connection

HIGH_WATER = 256 << 10  # bytes that wait before reading stops


class Tunnel:
    """`receive` and `lost` are the connection's; handlers use `read`, `write` and `close`."""

    def __init__(self, connection: Connection, head: bytes) -> None:
        self._connection = connection
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._arrived = asyncio.Event()
        self._closed = False
        self._paused = False
        connection.transport.write(head)

    def receive(self, data: bytes) -> None:
        """Bytes from the network."""
        if not data:
            return
        self._pieces.append(data)
        self._size += len(data)
        self._arrived.set()
        if self._size > HIGH_WATER and not self._paused:
            self._paused = True
            self._connection.transport.pause_reading()

    def lost(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._arrived.set()

    async def read(self) -> bytes:
        """What has come; b"" once the client is gone."""
        while not self._pieces:
            if self._closed:
                return b""
            self._arrived.clear()
            await self._arrived.wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._paused and not self._closed:
            self._paused = False
            self._connection.transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        """Raises ConnectionResetError when the client is gone."""
        if self._closed or self._connection.transport.is_closing():
            raise ConnectionResetError
        self._connection.transport.write(data)
        await self._connection.drain()

    def close(self) -> None:
        self._connection.close()
