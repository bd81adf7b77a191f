"""GET …/pods/NAME/log: the node agent's log stream as text, as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc

from kybern.gateway.api import Api
from kybern.gateway.core import options
from kybern.gateway.handlers.ahead import Ahead
from kybern.gateway.handlers.connect import connect
from kybern.gateway.handlers.target import Target
from kybern.gateway.http.message import Request, Response
from kybern.kube.status import StatusError
from kybern.protos.node.v1.node_pb2 import ContainerRef, LogsRequest, LogsResponse
from kybern.rpc.errors import status_error

PLAIN_TEXT = b"text/plain"


def logs_request(request: Request, container: ContainerRef) -> LogsRequest:
    """Raises StatusError (400) for parameters that are not numbers."""
    query = request.query
    return LogsRequest(
        container=container,
        follow=options.boolean(query, "follow"),
        previous=options.boolean(query, "previous"),
        timestamps=options.boolean(query, "timestamps"),
        tail_lines=options.integer(query, "tailLines"),
        limit_bytes=options.integer(query, "limitBytes"),
        since_seconds=options.integer(query, "sinceSeconds"),
        since_time=options.first(query, "sinceTime"),
        stream=options.first(query, "stream"),
    )


async def logs(api: Api, request: Request, target: Target) -> Response | None:
    """Serve one log. Raises StatusError when it is refused before it began."""
    agent, container = await connect(api, request, target, "get")
    if agent is None:
        return Response(b"", 200, PLAIN_TEXT)
    lines = Ahead(_read(agent.Logs(logs_request(request, container))))
    try:
        await lines.peek()
        stream = request.connection.stream(request, 200, PLAIN_TEXT, endless=True)
        try:
            async for chunk in lines:
                await stream.write(chunk.data)
        except StatusError as error:
            api.env.telemetry.log.info("a log stream broke", extra={"pod": container.pod, "error": str(error)})
        stream.end()
    finally:
        await lines.close()
    return None


async def _read(call: grpc.aio.UnaryStreamCall[LogsRequest, LogsResponse]) -> AsyncIterator[LogsResponse]:
    try:
        async for response in call:
            yield response
    except grpc.aio.AioRpcError as error:
        raise status_error(error) from error
    finally:
        call.cancel()
