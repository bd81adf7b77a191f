"""The short way for creating object after object: POST of plain JSON to a collection, known by its bytes.

The second POST of a connection takes the long way through `dispatch`, as the first did, and is learned from. One that
differs only in its body is not parsed: its line and headers stand for the same user, resource and options.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from kybern.gateway import answers
from kybern.gateway.api import Api, requester
from kybern.gateway.core import bodies
from kybern.gateway.core.budget import Budget
from kybern.gateway.core.negotiation import content_type
from kybern.gateway.core.resources import Resources
from kybern.gateway.core.router import resource_path
from kybern.gateway.handlers import fast_get
from kybern.gateway.handlers.target import Target, find
from kybern.gateway.handlers.write import write_options
from kybern.gateway.http.handler import Said
from kybern.gateway.http.message import Request
from kybern.gateway.http.reply import Reply
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import CreateRequest, CreateResponse
from kybern.rpc.exchange.prepared import create_part, requester_part
from kybern.telemetry.observations import Observations
from kybern.telemetry.series import Series

OPTIONS = frozenset({"fieldManager", "fieldValidation"})  # parameters that are understood
UNUSUAL = frozenset({b"expect", b"transfer-encoding"})

SeriesOf = Callable[[Target], Series]


class Known(NamedTuple):
    """What is remembered of a connection's line and headers, all but the length."""

    resources: Resources  # the API that it was understood by
    target: bytes
    headers: dict[bytes, bytes]
    requester: bytes  # their parts of a call
    request: bytes
    series: Series  # where it is counted
    sizes: Observations  # of bodies


class FastCreate:
    """Requests that took the short way and are not answered yet."""

    def __init__(self, api: Api, series: SeriesOf, traces: Budget) -> None:
        self._api = api
        self._series = series
        self._traces = traces
        self._open: dict[int, Created] = {}
        self._loop = asyncio.get_running_loop()

    def again(self, reply: Reply, said: Hashable, body: bytes) -> bool:
        """Send a request on its way whose line and headers came before; False when it has to be looked at."""
        known: Known | None = reply.client.heads.get(said)
        if known is None or known.resources is not self._api.resources or self._traces.has(self._loop.time()):
            return False
        created = Created(self, reply, known)
        call_id = self._api.calls.submit(created, known.requester, create_part(known.request, body))
        if call_id is None:
            return False
        known.sizes.observe(len(body))
        created.call_id, created.started = call_id, self._loop.time()
        self._open[call_id] = created
        return True

    def learn(self, request: Request, said: Said | None) -> None:
        """Remember what a request says, if the next one like it may go the short way."""
        headers = request.headers
        if said is None or request.repeated or not request.keep_alive or not fast_get.plain(request, self._api):
            return
        if not request.client.reused or not UNUSUAL.isdisjoint(headers):
            return
        path = resource_path(request.path)
        if path is None or path.subresource or not OPTIONS.issuperset(request.query):
            return
        try:
            target = find(request, path, self._api.resources)
            media_type = content_type(request.header(b"content-type"))
            bodies.check_body_type(media_type)
            options = write_options(request)
        except StatusError:
            return
        if target.verb != "create" or target.served.warning or media_type != bodies.JSON_TYPE:
            return
        asked = CreateRequest(resource=target.resource(), options=options if options.ByteSize() else None)
        part = requester_part(requester(request), self._api.request_timeout)
        counted = self._series(target), self._api.sizes.of_bodies(path, "create")
        known = Known(self._api.resources, request.target, headers, part, asked.SerializeToString(), *counted)
        fast_get.remember(request.client, said.head, known)

    def done(self, created: Created, response: CreateResponse) -> None:
        """Answer with the object, and count the request."""
        body = response.object
        if response.warnings or len(body) > answers.GZIP_FROM:
            request, warnings = self._close(created, 201), answers.warning_headers(list(response.warnings))
            created.reply.answer_later(request, lambda: answers.answer(request, body, status=201, headers=warnings))
            return
        self._open.pop(created.call_id, None)
        created.known.series.record(201, self._loop.time() - created.started)
        created.reply.answer_plainly(body, True, created.flow, 201)

    def failed(self, created: Created, error: StatusError) -> None:
        """Answer with an error."""
        request = self._close(created, error.code)
        created.reply.answer(request, answers.failure(request, error))

    def _close(self, created: Created, code: int) -> Request:
        """Count the request; it as a handler sees it."""
        self._open.pop(created.call_id, None)
        created.known.series.record(code, self._loop.time() - created.started)
        request = Request(created.reply, "POST", created.known.target, created.known.headers, {}, b"")
        request.started, request.flow = created.started, created.flow
        return request

    async def sweep(self) -> None:
        """Fail calls that take too long; runs for the life of the gateway."""
        while True:
            await asyncio.sleep(fast_get.SWEEP_SECONDS)
            late = self._loop.time() - self._api.request_timeout
            for call_id, created in list(self._open.items()):
                if created.started < late:
                    self._api.calls.expire(call_id, self._api.request_timeout)


class Created:
    """Waits for the reply to one call, as the Exchange's waiters do."""

    __slots__ = ("_owner", "call_id", "flow", "known", "reply", "started")

    def __init__(self, owner: FastCreate, reply: Reply, known: Known) -> None:
        self._owner = owner
        self.reply = reply
        self.known = known
        self.started = 0.0
        self.call_id = 0
        self.flow = ""

    def note(self, flow: str) -> None:
        self.flow = flow

    def take(self, response: Any) -> bool:
        return False

    def finish(self, response: CreateResponse) -> None:
        self._owner.done(self, response)

    def fail(self, error: StatusError) -> None:
        self._owner.failed(self, error)
