"""nodes/NAME/proxy/…: the node agent's own HTTP API (/healthz, /metrics, /pods, /stats/summary), over its contract."""

from __future__ import annotations

from kybern.gateway.api import Api
from kybern.gateway.handlers.ahead import Ahead, replies
from kybern.gateway.handlers.port_forward import node_port_forward
from kybern.gateway.handlers.remote_command import node_command
from kybern.gateway.http.message import MAX_BODY, Request, Response
from kybern.kube.status import request_entity_too_large, service_unavailable
from kybern.protos.api.v1.objects_pb2 import ConnectResponse
from kybern.protos.node.v1.node_pb2 import ContainerRef, ServeRequest, ServeResponse
from kybern.protos.node.v1.node_pb2_grpc import NodeAgentStub


async def node_proxy(api: Api, request: Request, found: ConnectResponse, path: str) -> Response | None:
    """Raises StatusError."""
    agent = NodeAgentStub(api.node_channel(found.target, found.server_name))
    if (stream := stream_of(path, found.node_name)) is not None:
        kind, container = stream
        if kind == "portForward":
            return await node_port_forward(request, agent, container)
        return await node_command(request, agent, kind, container)
    asked = ServeRequest(
        node_name=found.node_name,
        method=request.method,
        path=path,
        query=request.raw_query.decode("latin-1"),
        body=await _body(request),
    )
    answers: Ahead[ServeResponse] = Ahead(replies(agent.Serve(asked)))
    try:
        await answers.peek()
        parts = aiter(answers)
        first = await anext(parts, None)
        if first is None:
            raise service_unavailable("the node agent gave no answer")
        request.answered = first.status
        answer = request.reply.stream(request, first.status, first.content_type.encode(), endless=True)
        if request.method != "HEAD":
            await answer.write(first.data)
            async for part in parts:
                await answer.write(part.data)
        answer.end()
    finally:
        await answers.close()
    return None


def stream_of(path: str, node: str) -> tuple[str, ContainerRef] | None:
    """What a path of the kubelet's streams means: /exec/NS/POD[/UID]/CONTAINER, /attach/…, /portForward/NS/POD[/UID]"""
    match path.strip("/").split("/"):
        case ["exec" | "attach" as kind, namespace, pod, container]:
            return kind, ContainerRef(node_name=node, namespace=namespace, pod=pod, container=container)
        case ["exec" | "attach" as kind, namespace, pod, uid, container]:
            return kind, ContainerRef(node_name=node, namespace=namespace, pod=pod, uid=uid, container=container)
        case ["portForward" as kind, namespace, pod]:
            return kind, ContainerRef(node_name=node, namespace=namespace, pod=pod)
        case ["portForward" as kind, namespace, pod, uid]:
            return kind, ContainerRef(node_name=node, namespace=namespace, pod=pod, uid=uid)
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
