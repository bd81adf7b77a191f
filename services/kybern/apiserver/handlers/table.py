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


class _Call:
    """One call: it is timed, counted by how it ends and leaves its seat; errors of the store become Statuses."""

    __slots__ = ("_call", "_message", "_server", "_started", "_time", "_verb")

    def __init__(self, server: ApiServer, verb: str, message: Any, call: CallContext) -> None:
        self._server, self._verb, self._message, self._call = server, verb, message, call

    def __enter__(self) -> None:
        self._time = asyncio.get_running_loop().time
        self._started = self._time()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        seconds, failed = self._time() - self._started, error
        if isinstance(error, StorageFailed | StoreError):
            failed = storage_failure(error, self._verb, self._message)
        if self._call.seat is not None:
            self._server.flow.leave(self._call, seconds)
        if self._verb != "check_access":  # which names no resource
            asked, shown = self._message.resource, self._verb.upper().replace("_", "")
            code = failed.code if isinstance(failed, StatusError) else 500 if isinstance(failed, Exception) else 200
            self._server.metrics.series(shown, asked.group, asked.resource, asked.subresource).record(code, seconds)
        if failed is not error and failed is not None:
            raise failed from error


def counted(server: ApiServer, verb: str, handler: Unary) -> Callable[[Any, CallContext], Awaitable[Any]]:
    """A handler with one answer; a call that must wait begins again afterwards."""

    async def call(message: Any, context: CallContext) -> Any:
        with _Call(server, verb, message, context):
            while True:
                try:
                    return await handler(server, message, context)
                except MustWait as wait:
                    await wait.over()

    return call


def counted_stream(server: ApiServer, verb: str, handler: Streaming) -> Callable[[Any, CallContext], Any]:
    """The same for one with many answers."""

    async def call(message: Any, context: CallContext) -> AsyncIterator[Any]:
        with _Call(server, verb, message, context):
            while True:
                try:
                    async with aclosing(handler(server, message, context)) as responses:
                        async for response in responses:
                            yield response
                    return
                except MustWait as wait:
                    await wait.over()

    return call
