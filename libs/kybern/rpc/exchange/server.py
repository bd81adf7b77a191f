"""The answering side of Exchange.

A handler that returns without waiting is answered in the tick in which its call arrived, without a task. The others
become tasks that end with the stream, with their deadline, or with a Cancel. Reading pauses while too much is waiting
to be sent or too many calls are open.
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing
from typing import Any

from kybern.kube import status as statuses
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import Call, ExchangeRequest, ExchangeResponse
from kybern.rpc.errors import failure, grpc_code
from kybern.rpc.exchange import eager
from kybern.rpc.exchange.batch import Outbox
from kybern.rpc.exchange.context import CallContext, Handlers
from kybern.rpc.exchange.methods import FULL_METHODS, STREAMS
from kybern.rpc.identity import peer
from kybern.rpc.metrics import ServerMetrics
from kybern.rpc.transport import Identity

DEFAULT_TIMEOUT = 60.0  # seconds, for calls with one reply whose client set none
MAX_OPEN = 16_384  # calls of one stream that wait for something


async def serve(
    requests: AsyncIterator[ExchangeRequest],
    context: Any,
    handlers: Handlers,
    log: logging.Logger,
    metrics: ServerMetrics | None = None,
) -> None:
    """Answer one Exchange until the client ends it; writes serialized ExchangeResponses to the context."""
    await context.send_initial_metadata(())  # tells the client that it is connected
    exchange = Exchange(peer(context), handlers, log, metrics)
    writer = asyncio.create_task(exchange.write(context), name="exchange writer")
    try:
        async for message in requests:
            for call in message.calls:
                exchange.dispatch(call)
            await exchange.room()
        await exchange.drained()
    finally:
        writer.cancel()
        await exchange.close(writer)


class Exchange:
    """The open calls of one stream."""

    def __init__(
        self, identity: Identity, handlers: Handlers, log: logging.Logger, metrics: ServerMetrics | None
    ) -> None:
        self._identity = identity
        self._handlers = handlers
        self._log = log
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._open: dict[int, asyncio.Task[None]] = {}
        self._expired: set[int] = set()
        self._fewer = asyncio.Event()
        self._outbox = Outbox()

    def dispatch(self, call: Call) -> None:
        """Start one call; it may be answered before this returns."""
        field = call.WhichOneof("request")
        if field == "cancel":
            if call.id in self._open:
                self._open[call.id].cancel()
            return
        started, seconds = self._loop.time(), call.timeout_millis / 1000
        handler = self._handlers.get(field) if field is not None else None
        if handler is None or field is None:
            self._fail(call.id, field or "", statuses.bad_request("the call holds no known request"), started)
            return
        requester = call.requester if call.HasField("requester") else None
        context = CallContext(self._identity, requester, call.traceparent, started + seconds if seconds else None)
        try:
            result = handler(getattr(call, field), context)
        except Exception as error:  # the boundary: one failed call never ends the stream
            self._fail(call.id, field, error, started)
            return
        if field in STREAMS:
            self._stream(call.id, field, result, seconds, started)
        elif inspect.isawaitable(result):
            task = eager.start(self._loop, self._answer(call.id, field, result, started))
            if task is not None:
                self._track(call.id, task, seconds or DEFAULT_TIMEOUT)
        else:
            self._reply(call.id, field, result)
            self._record(field, "OK", started)

    def _stream(self, call_id: int, field: str, result: Any, seconds: float, started: float) -> None:
        """Answer with many replies: an iterable at once, an async iterable as it goes."""
        if hasattr(result, "__aiter__"):
            task = self._loop.create_task(self._answer_all(call_id, field, result, started))
            self._track(call_id, task, seconds)
            return
        try:
            for response in result:
                self._reply(call_id, field, response, more=True)
            self._reply(call_id, field, None)
            self._record(field, "OK", started)
        except Exception as error:
            self._fail(call_id, field, error, started)

    def _track(self, call_id: int, task: asyncio.Task[None], seconds: float) -> None:
        """Remember an open call until it ends, at its deadline (0: none) at the latest."""
        self._open[call_id] = task
        timer = self._loop.call_later(seconds, self._expire, call_id) if seconds else None

        def ended(task: asyncio.Task[None]) -> None:
            if timer is not None:
                timer.cancel()
            if self._open.get(call_id) is task:
                del self._open[call_id]
            self._expired.discard(call_id)
            self._fewer.set()

        task.add_done_callback(ended)

    def _expire(self, call_id: int) -> None:
        if call_id in self._open:
            self._expired.add(call_id)
            self._open[call_id].cancel()

    async def _answer(self, call_id: int, field: str, result: Awaitable[Any], started: float) -> None:
        try:
            response = await result
        except asyncio.CancelledError:
            self._cancelled(call_id, field, started)
        except Exception as error:  # the boundary, as in dispatch
            self._fail(call_id, field, error, started)
        else:
            self._reply(call_id, field, response)
            self._record(field, "OK", started)

    async def _answer_all(self, call_id: int, field: str, result: Any, started: float) -> None:
        try:
            async with aclosing(result):
                async for response in result:
                    self._reply(call_id, field, response, more=True)
                    await self._outbox.room()
        except asyncio.CancelledError:
            self._cancelled(call_id, field, started)
        except Exception as error:  # the boundary, as in dispatch
            self._fail(call_id, field, error, started)
        else:
            self._reply(call_id, field, None)
            self._record(field, "OK", started)

    def _cancelled(self, call_id: int, field: str, started: float) -> None:
        """The task was cancelled: by its deadline, which is answered, or because nobody waits."""
        if call_id not in self._expired:
            self._record(field, "CANCELLED", started)
            raise asyncio.CancelledError
        self._fail(call_id, field, statuses.timeout(f"{field} took longer than its deadline"), started)

    def _reply(self, call_id: int, field: str, response: Any, more: bool = False) -> None:
        envelope = ExchangeResponse()
        reply = envelope.replies.add()
        reply.id = call_id
        if more:
            reply.more = True
        if response is not None:
            getattr(reply, field).CopyFrom(response)
        self._outbox.put(envelope.SerializeToString())

    def _fail(self, call_id: int, field: str, error: Exception, started: float) -> None:
        if not isinstance(error, StatusError):
            extra = {"method": FULL_METHODS.get(field, field), "peer": self._identity.user}
            self._log.error("call failed", extra=extra, exc_info=error)
            error = statuses.internal(str(error) or type(error).__name__)
        self._reply(call_id, "failure", failure(error))
        self._record(field, grpc_code(error).name, started)

    def _record(self, field: str, code: str, started: float) -> None:
        if self._metrics is not None:
            self._metrics.record(FULL_METHODS.get(field, field), code, self._loop.time() - started)

    async def write(self, context: Any) -> None:
        """Send replies as they come, as many as are waiting in one message."""
        while True:
            await context.write(await self._outbox.batch())

    async def room(self) -> None:
        """Return once the stream can take more calls."""
        await self._outbox.room()
        while len(self._open) >= MAX_OPEN:
            self._fewer.clear()
            await self._fewer.wait()

    async def drained(self) -> None:
        """Return once every call is answered and every answer sent."""
        while self._open:
            self._fewer.clear()
            await self._fewer.wait()
        await self._outbox.empty()

    async def close(self, writer: asyncio.Task[None]) -> None:
        """End what is still open."""
        tasks = [writer, *self._open.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
