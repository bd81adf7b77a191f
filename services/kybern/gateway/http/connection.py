"""One client connection: bytes in, requests to the handler one at a time, bytes out.

Each request that the reader has put together runs as one task, which is cancelled when the client goes away. Requests
that a client pipelines wait their turn. Answers respect the client's pace (`drain`).
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import httptools

from kybern.gateway.core.patience import State
from kybern.gateway.http.closed import CLOSED
from kybern.gateway.http.front_proxy import FrontProxies
from kybern.gateway.http.handler import Handler
from kybern.gateway.http.message import Headers, Request, Response, status_line
from kybern.gateway.http.peer import NOBODY, peer_of
from kybern.gateway.http.reader import RequestReader
from kybern.gateway.http.stream import ResponseStream
from kybern.gateway.http.tunnel import Tunnel
from kybern.gateway.http.websocket import WebSocket
from kybern.rpc.exchange.eager import start

MAX_PIPELINED = 16
NO_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 15\r\n"
    b"Connection: close\r\n\r\n400 Bad Request"
)
UNCACHED = b"Cache-Control: no-cache, private\r\n"


class Connection(asyncio.Protocol):
    """The protocol of one accepted connection."""

    def __init__(
        self, handler: Handler, open_connections: set[Connection], proxies: FrontProxies | None = None
    ) -> None:
        self.handler = handler
        self.transport: Any = CLOSED
        self.front_proxy: FrontProxies | None = None  # if this client may name users in headers
        self._proxies = proxies
        self.identity = NOBODY
        self.credential_id = ""  # of the client certificate
        self.peer_address = ""
        self.memory: dict[Any, Any] = {}  # what handlers keep for the life of the connection
        self.heads: dict[bytes, Any] = {}  # and what they keep by the bytes of a request's headers
        self.websocket: WebSocket | Tunnel | None = None  # what takes the bytes of a connection that has left HTTP
        self._open = open_connections
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._busy = False
        self._upgrading: bytearray | None = None
        self._paused: asyncio.Future[None] | None = None
        self._closing = False
        self._last = False
        self._streaming = False  # a response of unknown length has begun
        self._endless: ResponseStream | None = None
        self._answered = 0
        self._reader = RequestReader(self)

    # The transport's side

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._open.add(self)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.peer_address, self.identity, self.credential_id, self.front_proxy = peer_of(transport, self._proxies)

    def data_received(self, data: bytes) -> None:
        if self.websocket is not None:
            self.websocket.receive(data)
            return
        if self._upgrading is not None:
            self._upgrading += data
            return
        if not self._busy and self._reader.between and not self._closing and self.handler.again(self, data):
            self._busy = True
            return
        try:
            self._reader.feed(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if self.websocket is not None:
                self.websocket.receive(rest)
            else:
                self._upgrading = bytearray(rest)
        except httptools.HttpParserError:
            if not self._closing:
                self.transport.write(NO_REQUEST)
                self.close()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self)
        self._closing = True
        self._waiting.clear()
        if self.websocket is not None:
            self.websocket.lost()
        self.resume_writing()
        if self._task is not None:
            self._task.cancel()
        self.transport = CLOSED

    def pause_writing(self) -> None:
        if self._paused is None:
            self._paused = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._paused is not None:
            self._paused.set_result(None)
            self._paused = None

    # The reader's side

    def take(self, request: Request, received: bytes = b"") -> None:
        """Begin a request, or let it wait for those before it. `received` are its bytes, if they came in one piece."""
        if self._closing:
            return
        request.started = self._loop.time()
        if self._busy:
            self._waiting.append(request)
            if len(self._waiting) >= MAX_PIPELINED:
                self.transport.pause_reading()
        else:
            self._begin(request, received)

    def refuse(self, request: Request, code: int) -> None:
        """Answer before the request was read; nothing more is read then."""
        if not self._closing:
            request.keep_alive = False
            self._write(request, self.handler.refuse(request, code))

    # The answer's side

    def _begin(self, request: Request, received: bytes = b"") -> None:
        self._busy = True
        if not self.handler.begin(request, received):
            self._task = start(self._loop, self._serve(request, self.handler.handle(request)))

    async def _serve(self, request: Request, answer: Awaitable[Response | None]) -> None:
        response = await answer
        if response is not None:
            self._write(request, response)
        if request.incoming is not None and not request.incoming.complete and not self._closing:
            request.incoming.discard(lambda: self._finish(request.keep_alive))
        else:
            self._finish(request.keep_alive)

    def answer(self, request: Request, response: Response) -> None:
        """Complete a request that `begin` has taken."""
        self._write(request, response)
        self._finish(request.keep_alive)

    def answer_plainly(self, body: bytes, keep_alive: bool, flow: str, status: int = 200) -> None:
        """Complete a request that `again` or `begin` has taken: a JSON object and nothing special."""
        if not self._closing:
            close = b"" if keep_alive else b"Connection: close\r\n"
            head = self.handler.plain_head(flow, status)
            self.transport.write(b"%bContent-Length: %d\r\n%b\r\n%b\n" % (head, len(body) + 1, close, body))
            if close:
                self.close()
        self._finish(keep_alive)

    def answer_later(self, request: Request, make: Callable[[], Awaitable[Response | None]]) -> None:
        """Complete a request that `begin` has taken, once its response is made."""
        if not self._closing:
            self._task = start(self._loop, self._serve(request, make()))

    def _write(self, request: Request, response: Response) -> None:
        """Send a whole response in one write. Where another has begun already, that one is broken off."""
        if self._closing:
            return
        if self._streaming:
            self.transport.abort()
            return
        body = response.body
        head = self.head(request, response.status, response.content_type, response.headers)
        lengths = b"Content-Length: %d\r\n" % len(body) if response.status != 304 else b""
        close = b"" if request.keep_alive and self._upgrading is None else b"Connection: close\r\n"
        self.transport.write(b"".join((head, lengths, close, b"\r\n", body if request.method != "HEAD" else b"")))
        if close:
            self.close()

    def head(self, request: Request, status: int, content_type: bytes, headers: Headers) -> bytes:
        """Status line and headers, without the empty line that ends them."""
        parts = [status_line(status), self.handler.standard_headers(request)]
        if not any(name == b"Cache-Control" for name, _ in headers):
            parts.append(UNCACHED)
        if content_type:
            parts += (b"Content-Type: ", content_type, b"\r\n")
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        return b"".join(parts)

    def stream(
        self, request: Request, status: int, content_type: bytes, headers: Headers = (), *, endless: bool = False
    ) -> ResponseStream:
        """Begin a response of unknown length. An endless one is whole at any point: it ends when the server does."""
        chunked = self._reader.speaks_chunked
        request.keep_alive = request.keep_alive and chunked
        encoding = b"Transfer-Encoding: chunked\r\n" if chunked else b"Connection: close\r\n"
        head = self.head(request, status, content_type, headers)
        request.stream = self.stream_after(b"".join((head, encoding, b"\r\n")), chunked=chunked, endless=endless)
        return request.stream

    def stream_after(self, head: bytes, *, chunked: bool, endless: bool = False) -> ResponseStream:
        """The same with a head that is complete already."""
        self.transport.write(head)
        self._streaming = True
        stream = ResponseStream(self, chunked)
        self._endless = stream if endless else None
        return stream

    def upgrade(self, request: Request, protocol: str) -> WebSocket:
        """Accept a WebSocket handshake; from now on the connection is a WebSocket."""
        socket = WebSocket(self, request.headers[b"sec-websocket-key"], protocol)
        self._leave_http(socket)
        return socket

    def tunnel(self, head: bytes) -> Tunnel:
        """Accept any other upgrade with this head; from now on the connection carries bytes."""
        tunnel = Tunnel(self, head)
        self._leave_http(tunnel)
        return tunnel

    def _leave_http(self, taker: WebSocket | Tunnel) -> None:
        self.websocket = taker
        if self._upgrading:
            taker.receive(bytes(self._upgrading))
        self._upgrading = None

    @property
    def leaves_http(self) -> bool:
        """Whether the client has asked to switch protocols: without that, the connection ends with the answer."""
        return self._upgrading is not None or self._reader.leaves_http

    @property
    def speaks_chunked(self) -> bool:
        return self._reader.speaks_chunked

    def _finish(self, keep_alive: bool) -> None:
        """The request is answered: take the next one."""
        self._busy, self._task, self._streaming, self._endless = False, None, False, None
        self._answered += 1
        if self.websocket is not None or self._upgrading is not None or not keep_alive or self._last:
            self.close()
        elif self._waiting:
            following = self._waiting.popleft()
            if len(self._waiting) == MAX_PIPELINED - 1:
                self.transport.resume_reading()
            self._begin(following)

    async def drain(self) -> None:
        """Return once the client has taken most of what was written. Raises ConnectionResetError when it is gone."""
        while self._paused is not None:
            await asyncio.shield(self._paused)
        if self._closing:
            raise ConnectionResetError

    @property
    def takes_more(self) -> bool:
        """Whether `drain` would return at once."""
        return self._paused is None and not self._closing

    def close(self) -> None:
        """Close after what was written is sent."""
        self._closing = True
        self.transport.close()

    @property
    def position(self) -> tuple[State, int]:
        """What the client is waited for, and a number that changes when it does what it is waited for."""
        if self.websocket is not None or self._upgrading is not None:
            return "busy", 0
        if self._reader.incoming is not None:
            return ("busy", 0) if self._reader.incoming.paused else ("body", self._reader.body_size)
        if self._busy:
            return "busy", self._answered
        if self._reader.between:
            return "idle", self._answered
        return "body" if self._reader.in_body else "head", self._answered

    def give_up(self) -> None:
        """The client has been silent for too long."""
        if self._reader.incoming is None and self.position[0] == "body":
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        if self._reader.incoming is not None:
            self.transport.abort()
        else:
            self.close()

    @property
    def reused(self) -> bool:
        """Whether this is not its first request."""
        return self._answered > 0

    @property
    def idle(self) -> bool:
        return not self._busy

    def stop(self) -> None:
        """The server goes away: close now if idle or in an endless answer, after the current answer otherwise."""
        if self._endless is not None:
            self._endless.end()
            self.close()
        elif self.idle:
            self.close()
        else:
            self._last = True
