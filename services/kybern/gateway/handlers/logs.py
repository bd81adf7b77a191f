"""GET …/pods/NAME/log: the node agent's log stream as text, or as WebSocket messages, as it comes."""

from __future__ import annotations

from base64 import b64encode

from kybern.gateway.api import Api
from kybern.gateway.core import channels, options
from kybern.gateway.handlers.ahead import Ahead, replies
from kybern.gateway.handlers.connect import connect, need_handshake
from kybern.gateway.handlers.target import Target
from kybern.gateway.http.message import Request, Response
from kybern.gateway.http.websocket import WebSocketClosed
from kybern.kube.status import StatusError
from kybern.protos.node.v1.node_pb2 import ContainerRef, LogsRequest, LogsResponse

PLAIN_TEXT, NO_CONTENT = b"text/plain", 204


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
        return Response(b"", NO_CONTENT, b"")  # no node has the pod yet
    lines: Ahead[LogsResponse] = Ahead(replies(agent.Logs(logs_request(request, container))))
    try:
        await lines.peek()
        if request.headers.get(b"upgrade", b"").lower() == b"websocket":
            await _send_messages(api, request, lines, container.pod)
            return None
        stream = request.reply.stream(request, 200, PLAIN_TEXT, endless=True)
        try:
            async for chunk in lines:
                await stream.write(chunk.data)
        except StatusError as error:
            api.env.telemetry.log.info("a log stream broke", extra={"pod": container.pod, "error": str(error)})
        stream.end()
    finally:
        await lines.close()
    return None


async def _send_messages(api: Api, request: Request, lines: Ahead[LogsResponse], pod: str) -> None:
    """The log as WebSocket messages; a client that goes away ends it."""
    need_handshake(request)
    protocol = channels.choose(request.header(b"sec-websocket-protocol"), channels.LOG) or ""
    socket = request.reply.upgrade(request, protocol)
    try:
        async for chunk in lines:
            await socket.send(b64encode(chunk.data) if protocol == channels.LOG_BASE64 else chunk.data)
    except StatusError as error:
        api.env.telemetry.log.info("a log stream broke", extra={"pod": pod, "error": str(error)})
    except WebSocketClosed:
        return
    socket.close()
