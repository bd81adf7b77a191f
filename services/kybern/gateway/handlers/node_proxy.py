"""nodes/NAME/proxy/…: the node agent's own HTTP API (/healthz, /metrics, /pods, /stats/summary), over its contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc

from kybern.gateway.api import Api
from kybern.gateway.handlers.ahead import Ahead
from kybern.gateway.http.connection import MAX_BODY
from kybern.gateway.http.message import Request, Response
from kybern.kube.status import request_entity_too_large, service_unavailable
from kybern.protos.api.v1.objects_pb2 import ConnectResponse
from kybern.protos.node.v1.node_pb2 import ServeRequest, ServeResponse
from kybern.protos.node.v1.node_pb2_grpc import NodeAgentStub
from kybern.rpc.errors import status_error


async def node_proxy(api: Api, request: Request, found: ConnectResponse, path: str) -> Response | None:
    """Raises StatusError."""
    agent = NodeAgentStub(api.node_channel(found.target, found.server_name))
    asked = ServeRequest(
        node_name=found.node_name,
        method=request.method,
        path=path,
        query=request.raw_query.decode("latin-1"),
        body=await _body(request),
    )
    replies = Ahead(_read(agent.Serve(asked)))
    try:
        await replies.peek()
        parts = aiter(replies)
        first = await anext(parts, None)
        if first is None:
            raise service_unavailable("the node agent gave no answer")
        request.answered = first.status
        stream = request.connection.stream(request, first.status, first.content_type.encode(), endless=True)
        if request.method != "HEAD":
            await stream.write(first.data)
            async for part in parts:
                await stream.write(part.data)
        stream.end()
    finally:
        await replies.close()
    return None


async def _body(request: Request) -> bytes:
    if request.incoming is None:
        return request.body
    body = bytearray()
    async for piece in request.incoming:
        body += piece
        if len(body) > MAX_BODY:
            raise request_entity_too_large("limit is 3145728")
    return bytes(body)


async def _read(call: grpc.aio.UnaryStreamCall[ServeRequest, ServeResponse]) -> AsyncIterator[ServeResponse]:
    try:
        async for response in call:
            yield response
    except grpc.aio.AioRpcError as error:
        raise status_error(error) from error
    finally:
        call.cancel()
