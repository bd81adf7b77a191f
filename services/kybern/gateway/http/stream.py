"""A response whose length is not known when it begins: HTTP chunks, or bytes until close for HTTP/1.0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kybern.gateway.core.frames import chunk_data, http_chunk

if TYPE_CHECKING:
    from kybern.gateway.http.connection import Connection

LAST_CHUNK = b"0\r\n\r\n"


class ResponseStream:
    """Writes follow the client's pace. `end` completes the response; without it the client sees a broken one."""

    def __init__(self, connection: Connection, chunked: bool) -> None:
        self._connection = connection
        self._chunked = chunked
        self._ended = False
        self.sent = 0  # bytes of data

    async def write(self, data: bytes) -> None:
        """One chunk, sent at once."""
        if data:
            self._send(data)
            await self._connection.drain()

    async def write_framed(self, framed: bytes) -> None:
        """Data that is an HTTP chunk already."""
        data = chunk_data(framed)
        self.sent += len(data)
        self._connection.transport.write(framed if self._chunked else data)
        await self._connection.drain()

    def _send(self, data: bytes) -> None:
        self.sent += len(data)
        self._connection.transport.write(http_chunk(data) if self._chunked else data)

    def send_now(self, data: bytes, framed: bytes) -> bool:
        """Send data, which `framed` is as a chunk; False if the client has not taken what was sent before."""
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
        """Break the connection, so that the client cannot take what it has for the whole."""
        self._connection.transport.abort()
