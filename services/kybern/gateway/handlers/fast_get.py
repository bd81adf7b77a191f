"""The short way for what clients ask most: GET of one object as plain JSON, answered without a task or a coroutine.

Anything out of the ordinary (a query, another media type, a trace, a person's browser, a body worth compressing) takes
the long way through `dispatch`, with the same result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kybern.gateway import answers
from kybern.gateway.api import DEFAULT_TIMEOUT, Api, requester
from kybern.gateway.core.resources import Resources
from kybern.gateway.core.router import resource_path
from kybern.gateway.handlers.target import Target, find
from kybern.gateway.http.message import Request, Response
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import GetRequest, GetResponse
from kybern.rpc.exchange.prepared import request_part, requester_part

PLAIN_ACCEPTS = frozenset({None, b"*/*", b"application/json", b"application/json, */*"})
LONG_WAY = frozenset({b"traceparent", b"audit-id"})
PEOPLE = (b"curl", b"Wget", b"Mozilla")
REMEMBERED = 8192  # paths
SWEEP_SECONDS = 1.0  # between looks at calls that take too long
_PART = "requester part"

Record = Callable[[Request, Target, int], None]


class FastGet:
    """Requests that took the short way and are not answered yet."""

    def __init__(self, api: Api, record: Record) -> None:
        self._api = api
        self._record = record
        self._paths: dict[str, tuple[Target, bytes]] = {}
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
        known = self._known(request)
        part = self._requester_part(request) if known is not None else None
        if known is None or part is None:
            return False
        reply = Reply(self, request, known[0])
        call_id = self._api.calls.submit(reply, part, known[1])
        if call_id is None:
            return False
        reply.call_id = call_id
        self._open[call_id] = reply
        return True

    def _known(self, request: Request) -> tuple[Target, bytes] | None:
        """The target of a path and its part of a call, if it is an object to get."""
        if self._paths_of is not self._api.resources:
            self._paths_of, self._paths = self._api.resources, {}
        known = self._paths.get(request.path)
        if known is None:
            known = self._learn(request)
        return known

    def _learn(self, request: Request) -> tuple[Target, bytes] | None:
        path = resource_path(request.path)
        if path is None or not path.name:
            return None
        try:
            target = find(request, path, self._api.resources)
        except StatusError:
            return None
        if target.verb != "get" or target.connects:
            return None
        if len(self._paths) >= REMEMBERED:
            self._paths.clear()
        known = target, request_part(GetRequest(resource=target.resource(), name=path.name))
        self._paths[request.path] = known
        return known

    def _requester_part(self, request: Request) -> bytes:
        """The user's part of a call: as long as the connection says who it is in the same words, the same bytes."""
        who = requester(request)
        memory = request.connection.memory
        known = memory.get(_PART)
        if known is not None and known[0] is who:
            return known[1]  # type: ignore[no-any-return]
        part = requester_part(who, DEFAULT_TIMEOUT)
        memory[_PART] = (who, part)
        return part

    def done(self, reply: Reply, response: Response) -> None:
        """Answer, and count the request."""
        self._open.pop(reply.call_id, None)
        self._record(reply.request, reply.target, response.status)
        reply.request.connection.answer(reply.request, response)

    def compress(self, reply: Reply, body: bytes) -> None:
        """A body that is worth the long way after all."""
        self._open.pop(reply.call_id, None)
        self._record(reply.request, reply.target, 200)
        reply.request.connection.answer_later(reply.request, lambda: answers.answer(reply.request, body))

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

    __slots__ = ("_owner", "call_id", "request", "target")

    def __init__(self, owner: FastGet, request: Request, target: Target) -> None:
        self._owner = owner
        self.request = request
        self.target = target
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
