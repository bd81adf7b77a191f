"""The Objects service from one table of handlers, which answers unary calls, streams and Exchange alike."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

import grpc

from kybern.protos.api.v1 import objects_pb2
from kybern.rpc.exchange.context import CallContext, Handlers
from kybern.rpc.exchange.link import Link, StreamLink
from kybern.rpc.exchange.methods import FIELD_BY_REQUEST, METHODS, SERVICE, STREAMS
from kybern.rpc.exchange.server import Exchange
from kybern.rpc.identity import peer
from kybern.rpc.metrics import ServerMetrics
from kybern.rpc.tracing import traceparent


def add_objects_to_server(handlers: Handlers, server: Any, log: logging.Logger) -> None:
    """Register every method of kybern.api.v1.Objects; a handler that the table lacks answers UNIMPLEMENTED."""
    methods: dict[str, Any] = {}
    for request_type, field in FIELD_BY_REQUEST.items():
        if field in handlers:
            make = grpc.unary_stream_rpc_method_handler if field in STREAMS else grpc.unary_unary_rpc_method_handler
            behavior = streaming(handlers[field]) if field in STREAMS else unary(handlers[field])
            response_type = getattr(objects_pb2, f"{METHODS[field]}Response")
            methods[METHODS[field]] = make(behavior, request_type.FromString, response_type.SerializeToString)
    metrics, draining = getattr(server, "metrics", None), getattr(server, "draining", None)

    async def exchange(requests: Any, context: Any) -> None:
        link = requests if isinstance(requests, Link) else StreamLink(context)
        await serve(link, context, handlers, log, metrics, draining)

    methods["Exchange"] = grpc.stream_stream_rpc_method_handler(
        exchange, request_deserializer=None, response_serializer=None
    )
    server.add_registered_method_handlers(SERVICE.strip("/"), methods)


async def serve(
    link: Link,
    context: Any,
    handlers: Handlers,
    log: logging.Logger,
    metrics: ServerMetrics | None = None,
    draining: asyncio.Event | None = None,
) -> None:
    """Answer one Exchange until the client ends it.

    Once `draining` is set no further call is taken, lists and watches end, and the other open calls are answered.
    """
    await context.send_initial_metadata(())  # tells the client that it is connected
    exchange = Exchange(peer(context), handlers, log, metrics, link)
    reader = asyncio.create_task(exchange.run(), name="exchange")
    stopping = asyncio.create_task((draining or asyncio.Event()).wait(), name="exchange draining")
    try:
        await asyncio.wait((reader, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not reader.done():
            exchange.stop()
        else:
            reader.result()
        await exchange.drained()
    finally:
        await exchange.close(reader, stopping)


def call_context(context: Any) -> CallContext:
    """What a handler is told of a call that came alone: its caller is its requester."""
    remaining = context.time_remaining()
    deadline = None if remaining is None else asyncio.get_running_loop().time() + remaining
    return CallContext(peer(context), None, traceparent(context), deadline)


def unary(handler: Callable[[Any, CallContext], Any]) -> Callable[[Any, Any], Any]:
    """A handler of the table as a unary gRPC method."""

    async def call(request: Any, context: Any) -> Any:
        result = handler(request, call_context(context))
        return await result if inspect.isawaitable(result) else result

    return call


def streaming(handler: Callable[[Any, CallContext], Any]) -> Callable[[Any, Any], Any]:
    """A handler of the table as a gRPC method with a stream of responses."""

    async def call(request: Any, context: Any) -> Any:
        result = handler(request, call_context(context))
        if hasattr(result, "__aiter__"):
            async for response in result:
                yield response
        else:
            for response in result:
                yield response

    return call
