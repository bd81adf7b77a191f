"""Answers as HTTP/1.1 has them, one after the other on their connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from kybern.gateway.http.http1.lines import head_lines
from kybern.gateway.http.http1.stream import Chunks
from kybern.gateway.http.message import Request, Response
from kybern.gateway.http.reply import Head, Reply, all_headers
from kybern.gateway.http.tunnel import Tunnel
from kybern.gateway.http.websocket import WebSocket
from kybern.rpc.exchange.eager import start

if TYPE_CHECKING:
    from kybern.gateway.http.http1.connection import Connection

CLOSE = b"Connection: close\r\n"


class ConnectionReply(Reply):
    """The answer to the request that its connection is at: one object for the life of the connection."""

    __slots__ = ("_connection", "_endless", "_streaming", "client")

    def __init__(self, connection: Connection) -> None:
        self.client = self._connection = connection
        self._streaming = False  # an answer has begun that is not whole yet
        self._endless: Chunks | None = None

    def answer(self, request: Request, response: Response) -> None:
        self.write(request, response)
        self._finish(request.keep_alive)

    def answer_plainly(self, body: bytes, keep_alive: bool, flow: str, status: int = 200) -> None:
        connection = self._connection
        if not connection.closing:
            close, handler = b"" if keep_alive else CLOSE, connection.handler
            parts = handler.plain_head(flow, status, head_lines), handler.audit_id(), len(body) + 1, close, body
            connection.transport.write(b"%bAudit-Id: %b\r\nContent-Length: %d\r\n%b\r\n%b\n" % parts)
            if close:
                connection.close()
        self._finish(keep_alive)

    def answer_later(self, request: Request, make: Callable[[], Awaitable[Response | None]]) -> None:
        if not self._connection.closing:
            self._connection.task = start(self._connection.loop, self._serve(request, make()))

    async def _serve(self, request: Request, answer: Awaitable[Response | None]) -> None:
        response = await answer
        if response is not None:
            self.write(request, response)
        if request.incoming is not None and not request.incoming.complete and not self._connection.closing:
            request.incoming.discard(lambda: self._finish(request.keep_alive))
        else:
            self._finish(request.keep_alive)

    def write(self, request: Request, response: Response) -> None:
        """Send a whole response in one write. Where another has begun already, that one is broken off."""
        connection = self._connection
        if connection.closing:
            return
        if self._streaming:
            connection.transport.abort()
            return
        body = response.body
        head = head_lines(response.status, all_headers(request, response.content_type, response.headers))
        lengths = b"Content-Length: %d\r\n" % len(body) if response.status not in (204, 304) else b""
        close = b"" if request.keep_alive and connection.upgrading is None else CLOSE
        connection.transport.write(b"".join((head, lengths, close, b"\r\n", body if request.method != "HEAD" else b"")))
        if close:
            connection.close()

    def begin(self, request: Request, head: Head, *, endless: bool = False) -> Chunks:
        reader = self._connection.reader
        chunked = reader.speaks_chunked and not head.empty and not head.length
        if reader.leaves_http or not (chunked or head.empty or head.length):
            request.keep_alive = False
        framing = b""
        if head.length:
            framing = b"Content-Length: %b\r\n" % head.length
        elif chunked:
            framing = b"Transfer-Encoding: chunked\r\n"
        lines = head_lines(head.status, head.headers, head.reason)
        close = b"" if request.keep_alive else CLOSE
        self._connection.transport.write(b"".join((lines, framing, close, b"\r\n")))
        self._streaming = True
        stream = Chunks(self._connection, chunked)
        self._endless = stream if endless else None
        return stream

    def upgrade(self, request: Request, protocol: str) -> WebSocket:
        socket = WebSocket(self._connection, request.headers[b"sec-websocket-key"], protocol)
        self._connection.leave_http(socket)
        return socket

    def tunnel(self, head: bytes) -> Tunnel:
        tunnel = Tunnel(self._connection, head)
        self._connection.leave_http(tunnel)
        return tunnel

    def end_endless(self) -> bool:
        """Complete an answer that is whole at any point; False if there is none."""
        if self._endless is None:
            return False
        self._endless.end()
        return True

    def _finish(self, keep_alive: bool) -> None:
        self._streaming, self._endless = False, None
        self._connection.finish(keep_alive)
