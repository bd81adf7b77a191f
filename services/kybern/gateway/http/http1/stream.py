"""An answer that is sent as it comes: HTTP chunks, bytes of a known length, or bytes until close."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kybern.gateway.core.frames import chunk_data, http_chunk
from kybern.gateway.http.reply import ResponseStream

if TYPE_CHECKING:
    from kybern.gateway.http.http1.connection import Connection

LAST_CHUNK = b"0\r\n\r\n"


class Chunks(ResponseStream):
    """`chunked` False: the data as it is."""

    __slots__ = ("_chunked", "_connection", "_ended")

    def __init__(self, connection: Connection, chunked: bool) -> None:
        self._connection = connection
        self._chunked = chunked
        self._ended = False
        self.sent = 0

    async def write(self, data: bytes) -> None:
        if data:
            self._send(data)
            await self._connection.drain()

    async def write_framed(self, framed: bytes) -> None:
        data = chunk_data(framed)
        self.sent += len(data)
        self._connection.transport.write(framed if self._chunked else data)
        await self._connection.drain()

    def _send(self, data: bytes) -> None:
        self.sent += len(data)
        self._connection.transport.write(http_chunk(data) if self._chunked else data)

    def send_now(self, data: bytes, framed: bytes) -> bool:
        if not self._connection.takes_more:
            return False
        self.sent += len(data)
        self._connection.transport.write(framed if self._chunked else data)
        return True

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            if self._chunked:
                self._connection.transport.write(LAST_CHUNK)

    def abort(self) -> None:
        self._connection.transport.abort()
