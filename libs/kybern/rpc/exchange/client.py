"""The calling side of Exchange: calls made in the same tick of the loop travel in one message.

One stream per client, opened by `async with` and opened again with back-off when it breaks. A call that was under way
then fails with ServiceUnavailable and is never sent twice: whether to try again is the caller's decision. A call made
while there is no stream waits for the next attempt to connect and fails with it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import grpc

from kybern.kube import status as statuses
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import ExchangeRequest, ExchangeResponse, Origin, Requester
from kybern.rpc.errors import from_failure, status_error
from kybern.rpc.exchange.batch import Outbox
from kybern.rpc.exchange.link import Link, StreamLink
from kybern.rpc.exchange.methods import EXCHANGE, FIELD_BY_REQUEST
from kybern.rpc.exchange.prepared import envelope
from kybern.rpc.exchange.waiters import Note, Single, Stream, Waiter, ignore

log = logging.getLogger(__name__)
DEFAULT_TIMEOUT = 60.0  # seconds, for calls with one reply
EARLY = 16  # prepared calls that are sent before the loop's turn ends, so that both sides work at the same time
FIRST_BACKOFF, LAST_BACKOFF = 0.05, 2.0  # seconds between attempts to connect
REFUSED = frozenset({401, 403, 405})  # what the server says of the stream itself, passed on as it is


class ExchangeClient:
    """`async with ExchangeClient(channel) as client: await client.call(GetRequest(...))`."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._open = channel.stream_stream(EXCHANGE, request_serializer=None, response_deserializer=None)
        self._next_id = 0
        self._waiting: dict[int, Waiter] = {}
        self._outbox = Outbox()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="exchange")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._fail_all(statuses.service_unavailable("the client was closed"))

    async def call(
        self,
        request: Any,
        *,
        requester: Requester | None = None,
        traceparent: str = "",
        timeout: float = DEFAULT_TIMEOUT,
        note: Note = ignore,
        origin: Origin | None = None,
    ) -> Any:
        """The response to a request that has one (all but list and watch); raises StatusError.

        `note` is told the flow that the server has put the call in, if it says so.
        """
        await self._outbox.room()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        call_id = self._send(Single(future, note), request, requester, traceparent, timeout, origin)
        timer = loop.call_later(timeout, self.expire, call_id, timeout)
        try:
            return await future
        except asyncio.CancelledError:
            self.cancel(call_id)
            raise
        finally:
            timer.cancel()

    async def stream(
        self,
        request: Any,
        *,
        requester: Requester | None = None,
        traceparent: str = "",
        timeout: float = 0.0,
        note: Note = ignore,
        origin: Origin | None = None,
    ) -> AsyncIterator[Any]:
        """The responses to a list or watch; `timeout` (seconds, for the whole answer) 0 means none.

        Close it (`contextlib.aclosing`) to end it early. A reader that falls too far behind gets a StatusError.
        """
        replies = Stream(note)
        call_id = await self.start(
            replies, request, requester=requester, traceparent=traceparent, timeout=timeout, origin=origin
        )
        loop = asyncio.get_running_loop()
        timer = loop.call_later(timeout, self.expire, call_id, timeout) if timeout else None
        try:
            async for response in replies:
                yield response
        finally:
            self.cancel(call_id)
            if timer is not None:
                timer.cancel()

    async def start(
        self,
        waiter: Waiter,
        request: Any,
        *,
        requester: Requester | None = None,
        traceparent: str = "",
        timeout: float = 0.0,
        origin: Origin | None = None,
    ) -> int:
        """Make a call whose replies go to the waiter in the loop's callback; its id, to `cancel` it by."""
        await self._outbox.room()
        return self._send(waiter, request, requester, traceparent, timeout, origin)

    def submit(self, waiter: Waiter, requester: bytes, request: bytes) -> int | None:
        """Send a call made of `prepared` parts; its id, or None when it has to wait for room (use `call` then).

        The waiter is told of the reply in the loop's callback. Deadlines are the caller's business: see `expire`.
        """
        if self._task is None or self._task.done() or not self._outbox.has_room:
            return None
        call_id = self._next_id = self._next_id + 1
        self._waiting[call_id] = waiter
        self._outbox.put(envelope(call_id, requester, request))
        if len(self._outbox) >= EARLY:
            self._outbox.flush()
        return call_id

    def expire(self, call_id: int, timeout: float) -> None:
        """Fail a call that took longer than `timeout` seconds, if it is still open."""
        waiter = self._waiting.get(call_id)
        if waiter is not None:
            self.cancel(call_id)
            waiter.fail(statuses.timeout(statuses.TOO_LATE))

    def _send(
        self,
        waiter: Waiter,
        request: Any,
        requester: Requester | None,
        traceparent: str,
        timeout: float,
        origin: Origin | None,
    ) -> int:
        if self._task is None or self._task.done():
            raise statuses.service_unavailable("the client is closed")
        call_id = self._next_id = self._next_id + 1
        envelope = ExchangeRequest()
        call = envelope.calls.add()
        call.id = call_id
        call.timeout_millis = int(timeout * 1000)
        if traceparent:
            call.traceparent = traceparent
        if requester is not None:
            call.requester.CopyFrom(requester)
        if origin is not None:
            call.origin.CopyFrom(origin)
        getattr(call, FIELD_BY_REQUEST[type(request)]).CopyFrom(request)
        self._waiting[call_id] = waiter
        self._outbox.put(envelope.SerializeToString())
        return call_id

    def cancel(self, call_id: int) -> None:
        """Tell the server that nobody waits for the call any more, if it is still open."""
        if self._waiting.pop(call_id, None) is not None:
            envelope = ExchangeRequest()
            call = envelope.calls.add()
            call.id = call_id
            call.cancel.SetInParent()
            self._outbox.put(envelope.SerializeToString())

    def _fail_all(self, error: StatusError) -> None:
        waiting, self._waiting = self._waiting, {}
        self._outbox.clear()
        for waiter in waiting.values():
            waiter.fail(error)

    async def _run(self) -> None:
        """Keep a stream open until cancelled."""
        backoff = FIRST_BACKOFF
        while True:
            connected, error = await self._exchange()
            self._fail_all(error)
            await asyncio.sleep(FIRST_BACKOFF if connected else backoff)
            backoff = FIRST_BACKOFF if connected else min(backoff * 2, LAST_BACKOFF)

    async def _exchange(self) -> tuple[bool, StatusError]:
        """One stream from start to end: whether the server was reached, and why it ended."""
        connected, stream = False, None
        try:
            stream, link = await self._connect()
            await stream.wait_for_connection()
            connected = True
            self._outbox.link = link
            self._outbox.flush()
            await link.run(self._receive, self._outbox.flush)
            return connected, statuses.service_unavailable("the server ended the exchange")
        except grpc.RpcError as error:
            failed = status_error(error)
            return connected, failed if failed.code in REFUSED else statuses.service_unavailable(failed.message)
        finally:
            self._outbox.link = None
            if stream is not None:
                stream.cancel()

    async def _connect(self) -> tuple[Any, Link]:
        """A new stream, in the event loop where the server has that, and what carries messages over it."""
        opened = await self._channel.bidi(EXCHANGE)
        if opened is not None:
            return opened, opened
        stream = self._open()
        return stream, StreamLink(stream)

    def _receive(self, message: bytes) -> None:
        for reply in ExchangeResponse.FromString(message).replies:
            field, flow, more = reply.WhichOneof("response"), reply.flow, reply.more
            response: Any = getattr(reply, field) if field is not None else None
            for call_id in (reply.id, *reply.also) if reply.also else (reply.id,):
                waiter = self._waiting.get(call_id)
                if waiter is None:
                    continue  # cancelled or timed out meanwhile
                try:
                    if flow:
                        waiter.note(flow)
                    if not more:
                        del self._waiting[call_id]
                        waiter.fail(from_failure(response)) if field == "failure" else waiter.finish(response)
                    elif not waiter.take(response):
                        self.cancel(call_id)
                        waiter.fail(statuses.service_unavailable("the reader fell too far behind"))
                except Exception:  # the boundary: a waiter that fails is not told again, and the others go on
                    log.exception("a reply was not taken")
                    self.cancel(call_id)
