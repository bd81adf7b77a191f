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
        bound[name] = _counted(server, name, unary)
        if server.audit is not None:
            bound[name] = server.audit.unary(server, name, bound[name])
    if server.audit is None:
        bound["get"] = RepeatableGet(server, bound["get"])
    for name, streaming in STREAMING.items():
        bound[name] = _counted_stream(server, name, streaming)
        if server.audit is not None:
            bound[name] = server.audit.streaming(server, name, bound[name])
    return bound


def _counted(server: ApiServer, verb: str, handler: Unary) -> Callable[[Any, CallContext], Awaitable[Any]]:
    series, shown = server.metrics.series, verb.upper().replace("_", "")
    names_resource = verb != "check_access"

    async def counted(message: Any, call: CallContext) -> Any:
        time = asyncio.get_running_loop().time
        started, code = time(), 200
        try:
            while True:
                try:
                    return await handler(server, message, call)
                except MustWait as wait:
                    await wait.over()
        except (StorageFailed, StoreError) as error:
            failed = storage_failure(error, verb, message)
            code = failed.code
            raise failed from error
        except StatusError as error:
            code = error.code
            raise
        except Exception:
            code = 500
            raise
        finally:
            seconds = time() - started
            if call.seat is not None:
                server.flow.leave(call, seconds)
            if names_resource:
                asked = message.resource
                series(shown, asked.group, asked.resource, asked.subresource).record(code, seconds)

    return counted


def _counted_stream(server: ApiServer, verb: str, handler: Streaming) -> Callable[[Any, CallContext], Any]:
    series, shown = server.metrics.series, verb.upper()

    async def counted(message: Any, call: CallContext) -> AsyncIterator[Any]:
        time = asyncio.get_running_loop().time
        started, code = time(), 200
        try:
            while True:
                try:
                    async with aclosing(handler(server, message, call)) as responses:
                        async for response in responses:
                            yield response
                    return
                except MustWait as wait:
                    await wait.over()
        except (StorageFailed, StoreError) as error:
            failed = storage_failure(error, verb, message)
            code = failed.code
            raise failed from error
        except StatusError as error:
            code = error.code
            raise
        finally:
            seconds = time() - started
            if call.seat is not None:
                server.flow.leave(call, seconds)
            asked = message.resource
            series(shown, asked.group, asked.resource, asked.subresource).record(code, seconds)

    return counted
