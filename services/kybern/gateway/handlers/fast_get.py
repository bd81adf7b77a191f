"""The short way for what clients ask most: GET of one object as plain JSON, answered without a task or a coroutine.

Anything out of the ordinary (a query, another media type, a trace, a person's browser, a body worth compressing) takes
the long way through `dispatch`, with the same result. A client says who it is and what it accepts in the same bytes all
day, so a request line and a head that came before are looked up, not parsed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from kybern.gateway import answers
from kybern.gateway.api import Api, requester
from kybern.gateway.core.resources import Resources
from kybern.gateway.core.router import resource_path
from kybern.gateway.handlers.target import Target, find
from kybern.gateway.http.connection import Connection
from kybern.gateway.http.message import Request
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import GetRequest, GetResponse
from kybern.rpc.exchange.prepared import request_part, requester_part
from kybern.telemetry.series import Series

PLAIN_ACCEPTS = frozenset({None, b"*/*", b"application/json", b"application/json, */*"})
LONG_WAY = frozenset({b"audit-id", b"traceparent", b"impersonate-user", b"impersonate-group", b"impersonate-uid"})
PEOPLE = (b"curl", b"Wget", b"Mozilla")
REMEMBERED = 8192  # request lines
HEADS = 64  # heads of one connection
LONGEST = 8 << 10  # bytes of a request worth remembering
METHOD, VERSION, END = b"GET ", b" HTTP/1.1", b"\r\n\r\n"
SWEEP_SECONDS = 1.0  # between looks at calls that take too long

SeriesOf = Callable[[Target], Series]


class Known(NamedTuple):
    """What is remembered of a request line."""

    target: bytes
    request: bytes  # its part of a call
    series: Series  # where it is counted


class Head(NamedTuple):
    """What is remembered of a connection's headers."""

    headers: dict[bytes, bytes]
    requester: bytes  # their part of a call
    keep_alive: bool


class FastGet:
    """Requests that took the short way and are not answered yet."""

    def __init__(self, api: Api, series: SeriesOf) -> None:
        self._api = api
        self._series = series
        self._lines: dict[bytes, Known] = {}
        self._lines_of: Resources | None = None
        self._open: dict[int, Reply] = {}
        self._loop = asyncio.get_running_loop()

    def again(self, connection: Connection, data: bytes) -> bool:
        """Send a request on its way whose line and head came before; False when it has to be parsed."""
        at = data.find(b"\r\n")
        known = self._lines.get(data[:at])
        if known is None or self._lines_of is not self._api.resources:
            return False
        head = connection.heads.get(data[at:])
        return head is not None and self._send(connection, known, head)

    def begin(self, request: Request, received: bytes) -> bool:
        """Send a parsed request on its way; False when it has to go the long way.

        `received` are its bytes, if they came alone and in one piece.
        """
        headers = request.headers
        if (
            request.method != "GET"
            or self._api.resources.table.audited
            or request.connection.front_proxy is not None
            or request.raw_query
            or headers.get(b"accept") not in PLAIN_ACCEPTS
            or not LONG_WAY.isdisjoint(headers)
            or headers.get(b"user-agent", b"").startswith(PEOPLE)
        ):
            return False
        if self._lines_of is not self._api.resources:
            self._lines_of, self._lines = self._api.resources, {}
        line, break_, rest = received.partition(b"\r\n")
        known = self._lines.get(line) or self._learn(request)
        if known is None:
            return False
        head = self._head(request)
        alone = received.find(END) == len(received) - len(END) and len(received) <= LONGEST
        if alone and line.startswith(METHOD) and line.endswith(VERSION):
            self._remember(request.connection, line, known, break_ + rest, head)
        return self._send(request.connection, known, head)

    def _send(self, connection: Connection, known: Known, head: Head) -> bool:
        reply = Reply(self, connection, known, head)
        call_id = self._api.calls.submit(reply, head.requester, known.request)
        if call_id is None:
            return False
        reply.call_id = call_id
        reply.started = self._loop.time()
        self._open[call_id] = reply
        return True

    def _remember(self, connection: Connection, line: bytes, known: Known, rest: bytes, head: Head) -> None:
        if len(self._lines) >= REMEMBERED:
            self._lines.clear()
        self._lines[line] = known
        if len(connection.heads) >= HEADS:
            connection.heads.clear()
        connection.heads[rest] = head

    def _learn(self, request: Request) -> Known | None:
        """What a path asks for, if it is that of an object to get."""
        path = resource_path(request.path)
        if path is None or not path.name:
            return None
        try:
            target = find(request, path, self._api.resources)
        except StatusError:
            return None
        if target.verb != "get" or target.connects or target.served.warning:
            return None
        asked = request_part(GetRequest(resource=target.resource(), name=path.name))
        return Known(request.target, asked, self._series(target))

    def _head(self, request: Request) -> Head:
        """What the headers say; as long as they name the user in the same words, the same bytes go out."""
        memory, headers = request.connection.memory, request.headers
        key = (headers.get(b"authorization"), headers.get(b"user-agent"))
        part: bytes | None = memory.get(key)
        if part is None:
            if len(memory) >= HEADS:
                memory.clear()
            part = memory[key] = requester_part(requester(request), self._api.request_timeout)
        return Head(headers, part, request.keep_alive)

    def done(self, reply: Reply, body: bytes) -> None:
        """Answer with an object, and count the request."""
        if len(body) > answers.GZIP_FROM:  # it may be worth compressing
            request = self._close(reply, 200)
            reply.connection.answer_later(request, lambda: answers.answer(request, body))
            return
        self._open.pop(reply.call_id, None)
        reply.known.series.record(200, self._loop.time() - reply.started)
        reply.connection.answer_plainly(body, reply.head.keep_alive, reply.flow)

    def failed(self, reply: Reply, error: StatusError) -> None:
        """Answer with an error."""
        request = self._close(reply, error.code)
        reply.connection.answer(request, answers.failure(request, error))

    def _close(self, reply: Reply, code: int) -> Request:
        """Count the request; it as a handler sees it."""
        self._open.pop(reply.call_id, None)
        reply.known.series.record(code, self._loop.time() - reply.started)
        request = Request(reply.connection, "GET", reply.known.target, reply.head.headers, {}, b"")
        request.started, request.keep_alive = reply.started, reply.head.keep_alive
        request.flow = reply.flow
        return request

    async def sweep(self) -> None:
        """Fail calls that take too long; runs for the life of the gateway."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            late = self._loop.time() - self._api.request_timeout
            for call_id, reply in list(self._open.items()):
                if reply.started < late:
                    self._api.calls.expire(call_id, self._api.request_timeout)


class Reply:
    """Waits for the reply to one call, as the Exchange's waiters do."""

    __slots__ = ("_owner", "call_id", "connection", "flow", "head", "known", "started")

    def __init__(self, owner: FastGet, connection: Connection, known: Known, head: Head) -> None:
        self._owner = owner
        self.connection = connection
        self.known = known
        self.head = head
        self.started = 0.0
        self.call_id = 0
        self.flow = ""

    def note(self, flow: str) -> None:
        self.flow = flow

    def take(self, response: Any) -> bool:
        return False

    def finish(self, response: GetResponse) -> None:
        self._owner.done(self, response.object)

    def fail(self, error: StatusError) -> None:
        self._owner.failed(self, error)
