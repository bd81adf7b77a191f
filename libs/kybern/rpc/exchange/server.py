"""The answering side of Exchange.

A handler that returns without waiting is answered in the tick in which its call arrived, without a task. The others
become tasks that end with the stream, with their deadline, or with a Cancel. Reading pauses while too much is waiting
to be sent or too many calls are open.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Sequence
from contextlib import aclosing
from enum import Enum
from functools import partial
from typing import Any

from kybern.kube import status as statuses
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import Call
from kybern.rpc.errors import failure, grpc_code
from kybern.rpc.exchange import eager
from kybern.rpc.exchange.batch import Outbox
from kybern.rpc.exchange.context import CallContext, Handlers
from kybern.rpc.exchange.deadlines import Deadlines
from kybern.rpc.exchange.intake import Intake
from kybern.rpc.exchange.link import Link
from kybern.rpc.exchange.methods import FULL_METHODS, STREAMS
from kybern.rpc.exchange.remembered import Remembered, Repeatable
from kybern.rpc.exchange.replies import get_reply, reply
from kybern.rpc.exchange.shared import SharedReply
from kybern.rpc.metrics import ServerMetrics
from kybern.rpc.transport import Identity

DEFAULT_TIMEOUT = 60.0  # seconds, for calls with one reply whose client set none
MAX_OPEN = 16_384  # calls of one stream that wait for something


class By(Enum):
    """Who ended a call early."""

    CLIENT = "cancelled"
    DEADLINE = "too late"
    SERVER = "draining"
    GONE = "the stream broke"


class Exchange:
    """The open calls of one stream."""

    def __init__(
        self, identity: Identity, handlers: Handlers, log: logging.Logger, metrics: ServerMetrics | None, link: Link
    ) -> None:
        self._identity = identity
        self._handlers = handlers
        self._log = log
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._open: dict[int, asyncio.Task[None]] = {}
        self._deadlines = Deadlines(self._loop, partial(self._end, by=By.DEADLINE))
        self._streams: set[int] = set()
        self._ending: dict[int, By] = {}  # calls that were cancelled
        self._fewer = asyncio.Event()
        self._link = link
        self._outbox = Outbox(link)
        self._intake = Intake(link, self._outbox, self)
        self._remembered = Remembered()
        get = handlers.get("get")
        self._repeat = get.repeat if isinstance(get, Repeatable) else None

    def take(self, call_id: int, rest: bytes, data: bytes) -> None:
        """Answer one call from its bytes, the short way if it came before."""
        known = self._remembered.find(rest)
        if known is not None:
            answer, context = known
            started = self._loop.time()
            found = answer()
            if found is not None:
                self._outbox.put(get_reply(call_id, found, context.flow))
                self._record("get", "OK", started)
                return
        call = Call.FromString(data)
        field = self.dispatch(call)
        if field == "get" and self._repeat is not None and call_id and not call.traceparent:
            context = CallContext(self._identity, call.requester if call.HasField("requester") else None)
            answer = self._repeat(call.get, context)
            if answer is not None:
                self._remembered.add(rest, answer, context)

    def dispatch(self, call: Call) -> str:
        """Start one call; it may be answered before this returns. What is asked for."""
        field: str = call.WhichOneof("request") or ""
        if field == "cancel":
            self._end(call.id, By.CLIENT)
        else:
            self._start(call, field)
        return field

    def _start(self, call: Call, field: str) -> None:
        call_id, started, seconds = call.id, self._loop.time(), call.timeout_millis / 1000
        handler = self._handlers.get(field)
        if handler is None:
            self._fail(call_id, field, statuses.bad_request("the call holds no known request"), started)
            return
        requester = call.requester if call.HasField("requester") else None
        context = CallContext(self._identity, requester, call.traceparent, started + seconds if seconds else None)
        if field == "watch" and call.watch.shared:
            context.shared, context.push = True, partial(self._push, call_id, context)
        if call.HasField("origin"):
            context.origin = call.origin
        try:
            result = handler(getattr(call, field), context)
        except Exception as error:  # the boundary: one failed call never ends the stream
            self._fail(call_id, field, error, started, context)
            return
        if field in STREAMS:
            self._stream(call_id, field, result, seconds, started, context)
        elif inspect.isawaitable(result):
            task = eager.start(self._loop, self._answer(call_id, field, result, started, context))
            if task is not None:
                self._track(call_id, task, seconds or DEFAULT_TIMEOUT)
        else:
            self._reply(call_id, field, result, context)
            self._record(field, "OK", started)

    def _stream(
        self, call_id: int, field: str, result: Any, seconds: float, started: float, context: CallContext
    ) -> None:
        """Answer with many replies: an iterable at once, an async iterable as it goes."""
        if hasattr(result, "__aiter__"):
            task = self._loop.create_task(self._answer_all(call_id, field, result, started, context))
            self._streams.add(call_id)
            self._track(call_id, task, seconds)
            task.add_done_callback(lambda task: self._ended(call_id))
            return
        try:
            for response in result:
                self._reply(call_id, field, response, context, more=True)
            self._reply(call_id, field, None, context)
            self._record(field, "OK", started)
        except Exception as error:
            self._fail(call_id, field, error, started, context)

    def _track(self, call_id: int, task: asyncio.Task[None], seconds: float) -> None:
        """Remember an open call until it ends, at its deadline (0: none) at the latest."""
        self._open[call_id] = task
        if seconds:
            self._deadlines.set(call_id, seconds)

    def _ended(self, call_id: int) -> None:
        """The call is answered, or never will be."""
        if self._open.pop(call_id, None) is None:
            return  # it was answered without waiting
        self._deadlines.drop(call_id)
        self._streams.discard(call_id)
        if self._ending:
            self._ending.pop(call_id, None)
        self._fewer.set()

    def _end(self, call_id: int, by: By) -> None:
        if call_id in self._open:
            self._ending.setdefault(call_id, by)
            self._open[call_id].cancel()

    def stop(self) -> None:
        """Take no further call, end every list and watch."""
        self._intake.close()
        for call_id in list(self._streams):
            self._end(call_id, By.SERVER)

    async def _answer(
        self, call_id: int, field: str, result: Awaitable[Any], started: float, context: CallContext
    ) -> None:
        try:
            response = await result
        except asyncio.CancelledError:
            self._cancelled(call_id, field, started, context)
        except Exception as error:  # the boundary, as in dispatch
            self._fail(call_id, field, error, started, context)
        else:
            self._reply(call_id, field, response, context)
            self._record(field, "OK", started)
        finally:
            self._ended(call_id)

    async def _answer_all(self, call_id: int, field: str, result: Any, started: float, context: CallContext) -> None:
        try:
            async with aclosing(result):
                async for response in result:
                    self._reply(call_id, field, response, context, more=True)
                    await self._outbox.room()
        except asyncio.CancelledError:
            self._cancelled(call_id, field, started, context)
        except Exception as error:  # the boundary, as in dispatch
            self._fail(call_id, field, error, started, context)
        else:
            self._reply(call_id, field, None, context)
            self._record(field, "OK", started)

    def _cancelled(self, call_id: int, field: str, started: float, context: CallContext) -> None:
        """A handler was cancelled. The client is told, unless it has asked for it or has gone."""
        match self._ending.get(call_id):
            case By.CLIENT | By.GONE:
                self._record(field, "CANCELLED", started)
                raise asyncio.CancelledError
            case By.DEADLINE:
                error = statuses.timeout(statuses.TOO_LATE)
            case By.SERVER:
                error = statuses.service_unavailable("the server is shutting down")
            case _:  # something that the handler waited for had been cancelled
                error = statuses.internal(f"{field} was cancelled")
        self._fail(call_id, field, error, started, context)

    def _reply(
        self, call_id: int, field: str, response: Any, context: CallContext | None = None, more: bool = False
    ) -> None:
        if more and context is not None and context.shared and not context.flow:
            self._share(call_id, response)
            return
        flow = ""
        if context is not None and context.flow:
            flow, context.flow = context.flow, ""  # told once
        data = None if response is None else response.SerializeToString()
        self._outbox.put(reply(call_id, field, data, flow=flow, more=more))

    def _push(self, call_id: int, context: CallContext, responses: Sequence[Any]) -> bool:
        """Send replies of a stream from outside its handler; False, and nothing sent, if they have to wait."""
        if context.flow or not self._outbox.has_room:
            return False
        for response in responses:
            self._share(call_id, response)
        return True

    def _share(self, call_id: int, response: Any) -> None:
        """Answer together with the calls before, if they were sent the same response."""
        last = self._outbox.last
        if isinstance(last, SharedReply) and last.response is response:
            last.ids.append(call_id)
        else:
            self._outbox.put(SharedReply(call_id, response))

    def _fail(
        self, call_id: int, field: str, error: Exception, started: float, context: CallContext | None = None
    ) -> None:
        if not isinstance(error, StatusError):
            extra = {"method": FULL_METHODS.get(field, field), "peer": self._identity.user}
            self._log.error("call failed", extra=extra, exc_info=error)
            error = statuses.internal(str(error) or type(error).__name__)
        self._reply(call_id, "failure", failure(error), context)
        self._record(field, grpc_code(error).name, started)

    def _record(self, field: str, code: str, started: float) -> None:
        if self._metrics is not None:
            self._metrics.record(FULL_METHODS.get(field, field), code, self._loop.time() - started)

    async def run(self) -> None:
        """Start calls as they come, until the client ends the stream; raises what ended it otherwise."""
        await self._intake.run()

    @property
    def has_room(self) -> bool:
        """Whether the stream can take more calls."""
        return self._outbox.has_room and len(self._open) < MAX_OPEN

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
        await self._link.drained()

    async def close(self, *workers: asyncio.Task[Any]) -> None:
        """End what is still open."""
        calls = dict(self._open)
        for call_id in calls:
            self._end(call_id, By.GONE)
        for worker in workers:
            worker.cancel()
        self._deadlines.close()
        await asyncio.gather(*calls.values(), *workers, return_exceptions=True)
