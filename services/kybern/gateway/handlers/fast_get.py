"""The short way for what clients ask most: GET of one object as plain JSON, answered without a task or a coroutine.

Anything out of the ordinary (a query, another media type, a trace, a person's browser, a body worth compressing) takes
the long way through `dispatch`, with the same result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from kybern.gateway import answers
from kybern.gateway.api import DEFAULT_TIMEOUT, Api, requester
from kybern.gateway.core.resources import Resources
from kybern.gateway.core.router import resource_path
from kybern.gateway.handlers.target import Target, find
from kybern.gateway.http.message import Request, Response
from kybern.gateway.metrics import Series
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import GetRequest, GetResponse
from kybern.rpc.exchange.prepared import request_part, requester_part

PLAIN_ACCEPTS = frozenset({None, b"*/*", b"application/json", b"application/json, */*"})
LONG_WAY = frozenset({b"traceparent", b"impersonate-user", b"impersonate-group", b"impersonate-uid"})
PEOPLE = (b"curl", b"Wget", b"Mozilla")
REMEMBERED = 8192  # paths, and ways that a connection names its user
SWEEP_SECONDS = 1.0  # between looks at calls that take too long

SeriesOf = Callable[[Target], Series]


class Known(NamedTuple):
    """What is remembered of a path."""

    request: bytes  # its part of a call
    series: Series  # where it is counted


class FastGet:
    """Requests that took the short way and are not answered yet."""

    def __init__(self, api: Api, series: SeriesOf) -> None:
        self._api = api
        self._series = series
        self._paths: dict[str, Known] = {}
        self._paths_of: Resources | None = None
        self._open: dict[int, Reply] = {}
        self._loop = asyncio.get_running_loop()

    def begin(self, request: Request) -> bool:
        """Send the request on its way; False when it has to go the long way."""
        headers = request.headers
        if (
            request.method != "GET"
            or request.raw_query
            or headers.get(b"accept") not in PLAIN_ACCEPTS
            or not LONG_WAY.isdisjoint(headers)
            or headers.get(b"user-agent", b"").startswith(PEOPLE)
        ):
            return False
        if self._paths_of is not self._api.resources:
            self._paths_of, self._paths = self._api.resources, {}
        known = self._paths.get(request.path) or self._learn(request)
        if known is None:
            return False
        reply = Reply(self, request, known.series)
        call_id = self._api.calls.submit(reply, self._requester_part(request), known.request)
        if call_id is None:
            return False
        reply.call_id = call_id
        self._open[call_id] = reply
        return True

    def _learn(self, request: Request) -> Known | None:
        """Remember a path, if it is that of an object to get."""
        path = resource_path(request.path)
        if path is None or not path.name:
            return None
        try:
            target = find(request, path, self._api.resources)
        except StatusError:
            return None
        if target.verb != "get" or target.connects or target.served.warning:
            return None
        if len(self._paths) >= REMEMBERED:
            self._paths.clear()
        known = Known(request_part(GetRequest(resource=target.resource(), name=path.name)), self._series(target))
        self._paths[request.path] = known
        return known

    def _requester_part(self, request: Request) -> bytes:
        """The user's part of a call: as long as the connection says who it is in the same words, the same bytes."""
        memory, headers = request.connection.memory, request.headers
        key = (headers.get(b"authorization"), headers.get(b"user-agent"))
        part: bytes | None = memory.get(key)
        if part is None:
            if len(memory) >= REMEMBERED:
                memory.clear()
            part = memory[key] = requester_part(requester(request), DEFAULT_TIMEOUT)
        return part

    def done(self, reply: Reply, response: Response) -> None:
        """Answer, and count the request."""
        self._close(reply, response.status)
        reply.request.connection.answer(reply.request, response)

    def compress(self, reply: Reply, body: bytes) -> None:
        """A body that is worth the long way after all."""
        self._close(reply, 200)
        reply.request.connection.answer_later(reply.request, lambda: answers.answer(reply.request, body))

    def _close(self, reply: Reply, code: int) -> None:
        self._open.pop(reply.call_id, None)
        reply.series.record(code, self._loop.time() - reply.request.started)

    async def sweep(self) -> None:
        """Fail calls that take too long; runs for the life of the gateway."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            late = self._loop.time() - DEFAULT_TIMEOUT
            for call_id, reply in list(self._open.items()):
                if reply.request.started < late:
                    self._api.calls.expire(call_id, DEFAULT_TIMEOUT)


class Reply:
    """Waits for the reply to one call, as the Exchange's waiters do."""

    __slots__ = ("_owner", "call_id", "request", "series")

    def __init__(self, owner: FastGet, request: Request, series: Series) -> None:
        self._owner = owner
        self.request = request
        self.series = series
        self.call_id = 0

    def take(self, response: Any) -> bool:
        return False

    def finish(self, response: GetResponse) -> None:
        body = response.object
        if len(body) > answers.GZIP_FROM and answers.wants_gzip(self.request):
            self._owner.compress(self, body)
        else:
            self._owner.done(self, Response(body))

    def fail(self, error: StatusError) -> None:
        self._owner.done(self, answers.failure(self.request, error))
