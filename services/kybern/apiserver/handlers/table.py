"""The handler table: one entry per request of `Call`; each is timed and counted here."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from kybern.apiserver.handlers.check_access import check_access
from kybern.apiserver.handlers.connect import connect
from kybern.apiserver.handlers.create import create_object
from kybern.apiserver.handlers.delete import delete_object
from kybern.apiserver.handlers.delete_collection import delete_collection
from kybern.apiserver.handlers.forward import forward
from kybern.apiserver.handlers.get import get
from kybern.apiserver.handlers.list import list_objects
from kybern.apiserver.handlers.patch import patch_object
from kybern.apiserver.handlers.repeat import RepeatableGet
from kybern.apiserver.handlers.update import update_object
from kybern.apiserver.handlers.watch import watch
from kybern.apiserver.server import ApiServer
from kybern.apiserver.storage.failure import StorageFailed, storage_failure
from kybern.apiserver.waiting import MustWait
from kybern.kube.status import StatusError
from kybern.rpc.exchange.context import CallContext, Handlers
from kybern.store.errors import StoreError

Unary = Callable[[ApiServer, Any, CallContext], Awaitable[Any]]
Streaming = Callable[[ApiServer, Any, CallContext], AsyncGenerator[Any, None]]
UNARY: dict[str, Unary] = {
    "get": get,
    "create": create_object,
    "update": update_object,
    "patch": patch_object,
    "delete": delete_object,
    "delete_collection": delete_collection,
    "connect": connect,
    "check_access": check_access,
    "forward": forward,
}
STREAMING: dict[str, Streaming] = {"list": list_objects, "watch": watch}


def handlers(server: ApiServer) -> Handlers:
    """Bound to one server."""
    bound: dict[str, Callable[[Any, CallContext], Any]] = {}
    for name, unary in UNARY.items():
        bound[name] = counted(server, name, unary)
        if server.audit is not None:
            bound[name] = server.audit.unary(server, name, bound[name])
    if server.audit is None:
        bound["get"] = RepeatableGet(server, bound["get"])
    for name, streaming in STREAMING.items():
        bound[name] = counted_stream(server, name, streaming)
        if server.audit is not None:
            bound[name] = server.audit.streaming(server, name, bound[name])
    return bound


class Ending:
    """How calls of one verb end: each is timed, counted by how it ends and leaves its seat."""

    def __init__(self, server: ApiServer, verb: str) -> None:
        self._server, self._verb = server, verb
        self._shown = verb.upper().replace("_", "")
        self.time = asyncio.get_running_loop().time

    def of(self, message: Any, call: CallContext, started: float, error: BaseException | None) -> None:
        """One call has ended. An error of the store is raised again as a Status."""
        seconds, failed = self.time() - started, error
        if isinstance(error, StorageFailed | StoreError):
            failed = storage_failure(error, self._verb, message)
        if call.seat is not None:
            self._server.flow.leave(call, seconds)
        code = failed.code if isinstance(failed, StatusError) else 500 if isinstance(failed, Exception) else 200
        if self._verb == "check_access":  # which names no resource
            self._server.metrics.access(code)
        else:
            asked = message.resource
            series = self._server.metrics.series(self._shown, asked.group, asked.resource, asked.subresource)
            series.record(code, seconds)
        if failed is not error and failed is not None:
            raise failed from error


def counted(server: ApiServer, verb: str, handler: Unary) -> Callable[[Any, CallContext], Awaitable[Any]]:
    """A handler with one answer; a call that must wait begins again afterwards."""
    ending = Ending(server, verb)

    async def call(message: Any, context: CallContext) -> Any:
        started = ending.time()
        try:
            while True:
                try:
                    response = await handler(server, message, context)
                    break
                except MustWait as wait:
                    await wait.over()
        except BaseException as error:
            ending.of(message, context, started, error)
            raise
        ending.of(message, context, started, None)
        return response

    return call


def counted_stream(server: ApiServer, verb: str, handler: Streaming) -> Callable[[Any, CallContext], Any]:
    """The same for one with many answers."""
    ending = Ending(server, verb)

    async def call(message: Any, context: CallContext) -> AsyncIterator[Any]:
        started = ending.time()
        try:
            while True:
                try:
                    async with aclosing(handler(server, message, context)) as responses:
                        async for response in responses:
                            yield response
                    break
                except MustWait as wait:
                    await wait.over()
        except BaseException as error:
            ending.of(message, context, started, error)
            raise
        ending.of(message, context, started, None)

    return call
