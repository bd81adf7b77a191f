"""The short way for what clients ask most: GET of one object as plain JSON, answered without a task or a coroutine.

Anything out of the ordinary (a query, another media type, a trace, a person's browser, a body worth compressing) takes
the long way through `dispatch`, with the same result. A client says who it is and what it accepts in the same bytes all
day, so a request line and a head that came before are looked up, not parsed again. Requests that are the same, for the
same user, share a call (`flight.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from kybern.gateway import answers
from kybern.gateway.api import SPACED, Api, impersonating, requester
from kybern.gateway.core.resources import Resources
from kybern.gateway.core.router import resource_path
from kybern.gateway.handlers.flight import Flight, Key, Passenger
from kybern.gateway.handlers.target import Target, find
from kybern.gateway.http.client import Client
from kybern.gateway.http.handler import Said
from kybern.gateway.http.message import Request
from kybern.gateway.http.reply import Reply
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import GetRequest
from kybern.rpc.exchange.prepared import request_part, requester_part
from kybern.telemetry.series import Series

PLAIN_ACCEPTS = frozenset({None, b"*/*", b"application/json", b"application/json, */*"})
LONG_WAY = frozenset({b"audit-id", b"traceparent"})
PEOPLE = (b"curl", b"Wget", b"Mozilla")
REMEMBERED = 8192  # request lines
HEADS = 64  # heads of one connection
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
        self._flights: dict[Key, Flight] = {}
        self._loop = asyncio.get_running_loop()

    def again(self, reply: Reply, line: bytes, said: Hashable) -> bool:
        """Send a request on its way whose line and head came before; False when it has to be looked at."""
        known = self._lines.get(line)
        if known is None or self._lines_of is not self._api.resources:
            return False
        head = reply.client.heads.get(said)
        return head is not None and self._send(reply, known, head)

    def begin(self, request: Request, said: Said | None) -> bool:
        """Send a request on its way; False when it has to go the long way. `said`: its words, to be remembered."""
        if request.method != "GET" or request.raw_query or not plain(request, self._api):
            return False
        if self._lines_of is not self._api.resources:
            self._lines_of, self._lines = self._api.resources, {}
        known = (self._lines.get(said.line) if said is not None else None) or self._learn(request)
        if known is None:
            return False
        head = self._head(request)
        if said is not None:
            self._remember(request.client, said, known, head)
        return self._send(request.reply, known, head)

    def _send(self, reply: Reply, known: Known, head: Head) -> bool:
        passenger = Passenger(reply, known, head, self._loop.time())
        key = (head.requester, known.request)
        flight = self._flights.get(key)
        if flight is None:
            return self._start(key, [passenger])
        flight.next.append(passenger)
        return True

    def _start(self, key: Key, passengers: list[Passenger]) -> bool:
        flight = Flight(self, key, passengers)
        call_id = self._api.calls.submit(flight, *key)
        if call_id is None:
            return False
        flight.call_id = call_id
        self._flights[key] = flight
        return True

    def _remember(self, client: Client, said: Said, known: Known, head: Head) -> None:
        if len(self._lines) >= REMEMBERED:
            self._lines.clear()
        self._lines[said.line] = known
        remember(client, said.head, head)

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
        memory, headers = request.client.memory, request.headers
        key = (headers.get(b"authorization"), headers.get(b"user-agent"))
        part: bytes | None = memory.get(key)
        if part is None:
            if len(memory) >= HEADS:
                memory.clear()
            named = requester(request)
            part = requester_part(named, self._api.request_timeout)
            if not named.HasField("impersonation"):
                memory[key] = part
        return Head(headers, part, request.keep_alive)

    def landed(self, flight: Flight, answer: Callable[[Passenger], None]) -> None:
        """Answer everybody aboard; those who came since it left are sent on first, so that both sides work."""
        del self._flights[flight.key]
        if flight.next and not self._start(flight.key, flight.next):
            for passenger in flight.next:
                self._go_the_long_way(passenger)
        for passenger in flight.passengers:
            answer(passenger)

    def done(self, passenger: Passenger, body: bytes, flow: str) -> None:
        """Answer with an object, and count the request."""
        if len(body) > answers.GZIP_FROM:  # it may be worth compressing
            request = self._request(passenger, flow)
            self._count(passenger, 200, len(body))
            passenger.reply.answer_later(request, lambda: answers.answer(request, body))
            return
        passenger.known.series.record(200, self._loop.time() - passenger.started, len(body))
        passenger.reply.answer_plainly(body, passenger.head.keep_alive, flow)

    def failed(self, passenger: Passenger, error: StatusError, flow: str) -> None:
        """Answer with an error."""
        request = self._request(passenger, flow)
        response = answers.failure(request, error)
        self._count(passenger, error.code, len(response.body))
        passenger.reply.answer(request, response)

    def _count(self, passenger: Passenger, code: int, size: int) -> None:
        passenger.known.series.record(code, self._loop.time() - passenger.started, size)

    def _request(self, passenger: Passenger, flow: str = "") -> Request:
        request = Request(passenger.reply, "GET", passenger.known.target, passenger.head.headers, {}, b"")
        request.started, request.keep_alive = passenger.started, passenger.head.keep_alive
        request.flow = flow
        return request

    def _go_the_long_way(self, passenger: Passenger) -> None:
        """There is no room for a call now: wait for it as others do."""
        request = self._request(passenger)
        passenger.reply.answer_later(request, lambda: request.client.handler.handle(request))

    async def sweep(self) -> None:
        """Fail calls that take too long; runs for the life of the gateway."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            late = self._loop.time() - self._api.request_timeout
            for flight in list(self._flights.values()):
                if flight.passengers[0].started < late:
                    self._api.calls.expire(flight.call_id, self._api.request_timeout)


def plain(request: Request, api: Api) -> bool:
    """Whether nothing in a request's headers is out of the ordinary, and nobody writes down who asked for what."""
    headers = request.headers
    return not (
        api.resources.table.audited
        or request.client.front_proxy is not None
        or headers.get(b"accept") not in PLAIN_ACCEPTS
        or not LONG_WAY.isdisjoint(headers)
        or impersonating(headers)
        or headers.get(b"user-agent", b"").startswith(PEOPLE)
        or headers.get(b"authorization", b"").startswith(SPACED)
    )


def remember(client: Client, said: Hashable, known: Any) -> None:
    """Keep what a connection's words mean."""
    if len(client.heads) >= HEADS:
        client.heads.clear()
    client.heads[said] = known
