"""One client that speaks HTTP/1.1: bytes in, requests to the handler one at a time, answers by `reply`.

Each request that the reader has put together runs as one task, which is cancelled when the client goes away. Requests
that a client pipelines wait their turn. Answers respect the client's pace (`drain`).
"""

from __future__ import annotations

import asyncio
from collections import deque

import httptools

from kybern.gateway.core.patience import State
from kybern.gateway.http.client import Client
from kybern.gateway.http.front_proxy import FrontProxies
from kybern.gateway.http.handler import Handler
from kybern.gateway.http.http1.lines import POST, said_in, split
from kybern.gateway.http.http1.reader import RequestReader
from kybern.gateway.http.http1.reply import ConnectionReply
from kybern.gateway.http.message import Request
from kybern.gateway.http.tunnel import Tunnel
from kybern.gateway.http.websocket import WebSocket

MAX_PIPELINED = 16
NO_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 15\r\n"
    b"Connection: close\r\n\r\n400 Bad Request"
)
TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connection(Client):
    """See the module's docstring."""

    def __init__(self, handler: Handler, open_connections: set[Client], proxies: FrontProxies | None = None) -> None:
        super().__init__(handler, open_connections, proxies)
        self.task: asyncio.Task[None] | None = None
        self.upgrading: bytearray | None = None  # what came after a request that asks for another protocol
        self._taker: WebSocket | Tunnel | None = None  # what takes the bytes of a connection that has left HTTP
        self._waiting: deque[Request] = deque()
        self._busy = False
        self._paused: asyncio.Future[None] | None = None
        self._last = False
        self.reply = ConnectionReply(self)
        self.reader = RequestReader(self)

    # The transport's side

    def data_received(self, data: bytes) -> None:
        if self._taker is not None:
            self._taker.receive(data)
            return
        if self.upgrading is not None:
            self.upgrading += data
            return
        if not self._busy and self.reader.between and not self.closing and self._again(data):
            self._busy = True
            return
        try:
            self.reader.feed(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if self._taker is not None:
                self._taker.receive(rest)
            else:
                self.upgrading = bytearray(rest)
        except httptools.HttpParserError:
            if not self.closing:
                self.transport.write(NO_REQUEST)
                self.close()

    def _again(self, data: bytes) -> bool:
        """Whether the bytes are a request that came before, or nearly, and the handler has taken it over."""
        if data.startswith(POST):
            parts = split(data)
            return parts is not None and self.handler.create_again(self.reply, *parts)
        at = data.find(b"\r\n")
        return self.handler.get_again(self.reply, data[:at], data[at:])

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._waiting.clear()
        if self._taker is not None:
            self._taker.lost()
        self.resume_writing()
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        if self._paused is None:
            self._paused = self.loop.create_future()

    def resume_writing(self) -> None:
        if self._paused is not None:
            self._paused.set_result(None)
            self._paused = None

    # The reader's side

    def take(self, request: Request, received: bytes = b"") -> None:
        """Begin a request, or let it wait for those before it. `received` are its bytes, if they came in one piece."""
        if self.closing:
            return
        request.started = self.loop.time()
        if self._busy:
            self._waiting.append(request)
            if len(self._waiting) >= MAX_PIPELINED:
                self.transport.pause_reading()
        else:
            self._begin(request, received)

    def refuse(self, request: Request, code: int) -> None:
        """Answer before the request was read; nothing more is read then."""
        if not self.closing:
            request.keep_alive = False
            self.reply.write(request, self.handler.refuse(request, code))

    def hold(self) -> None:
        """Read no more for now."""
        self.transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        self.transport.resume_reading()

    def cut_off(self) -> None:
        """The client sends what nobody reads."""
        self.close()

    # The answer's side

    def _begin(self, request: Request, received: bytes = b"") -> None:
        self._busy = True
        if not self.handler.begin(request, said_in(received) if received else None):
            self.reply.answer_later(request, lambda: self.handler.handle(request))

    def finish(self, keep_alive: bool) -> None:
        """The request is answered: take the next one."""
        self._busy, self.task = False, None
        self.answered += 1
        if self._taker is not None or self.upgrading is not None or not keep_alive or self._last:
            self.close()
        elif self._waiting:
            following = self._waiting.popleft()
            if len(self._waiting) == MAX_PIPELINED - 1:
                self.transport.resume_reading()
            self._begin(following)

    def leave_http(self, taker: WebSocket | Tunnel) -> None:
        """From now on the bytes are the taker's."""
        self._taker = taker
        if self.upgrading:
            taker.receive(bytes(self.upgrading))
        self.upgrading = None

    async def drain(self) -> None:
        """Return once the client has taken most of what was written. Raises ConnectionResetError when it is gone."""
        while self._paused is not None:
            await asyncio.shield(self._paused)
        if self.closing:
            raise ConnectionResetError

    @property
    def takes_more(self) -> bool:
        """Whether `drain` would return at once."""
        return self._paused is None and not self.closing

    # The server's side

    @property
    def position(self) -> tuple[State, int]:
        if self._taker is not None or self.upgrading is not None:
            return "busy", 0
        if self.reader.incoming is not None:
            return ("busy", 0) if self.reader.incoming.paused else ("body", self.reader.body_size)
        if self._busy:
            return "busy", self.answered
        if self.reader.between:
            return "idle", self.answered
        return "body" if self.reader.in_body else "head", self.answered

    def give_up(self) -> None:
        if self.reader.incoming is not None:
            self.transport.abort()
            return
        if self.position[0] == "body":
            self.transport.write(TIMEOUT)
        self.close()

    def stop(self) -> None:
        if self.reply.end_endless() or not self._busy:
            self.close()
        else:
            self._last = True
