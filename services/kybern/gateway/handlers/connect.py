"""The way to a node agent: the apiserver authorizes a streaming subresource and says which agent serves it."""

from __future__ import annotations

from typing import Any

from kybern.gateway.api import Api, behind, timeout
from kybern.gateway.handlers.target import Target
from kybern.gateway.http.message import Request
from kybern.kube.status import bad_request
from kybern.protos.api.v1.objects_pb2 import ConnectRequest, ConnectResponse
from kybern.protos.node.v1.node_pb2 import ContainerRef
from kybern.protos.node.v1.node_pb2_grpc import NodeAgentStub


async def connect(api: Api, request: Request, target: Target, verb: str) -> tuple[Any, ContainerRef]:
    """The agent's stub (None for a pod that no node has yet), and the container as the agent knows it.

    Raises StatusError.
    """
    wanted = ConnectRequest(
        resource=target.resource(),
        name=target.path.name,
        verb=verb,
        container=request.parameter("container"),
        query=request.raw_query.decode("latin-1"),
    )
    found: ConnectResponse = await api.calls.call(wanted, **behind(api, request), timeout=timeout(api, request))
    container = ContainerRef(
        node_name=found.node_name,
        namespace=target.path.namespace,
        pod=target.path.name,
        container=found.container or wanted.container,
    )
    channel = api.node_channel(found.target, found.server_name) if found.target else None
    return NodeAgentStub(channel) if channel is not None else None, container


async def need_upgrade(api: Api, request: Request, target: Target) -> None:
    """Refuse what is no WebSocket handshake, but say first what else is wrong with it.

    kubectl tries SPDY when a WebSocket is refused, and shows the answer to that second try. Raises StatusError.
    """
    if not _asks_for_websocket(request):
        await connect(api, request, target, target.verb)
    need_websocket(request)


def _asks_for_websocket(request: Request) -> bool:
    return request.headers.get(b"upgrade", b"").lower() == b"websocket" and request.method == "GET"


def need_websocket(request: Request) -> None:
    """Refuse what is no WebSocket handshake. Raises StatusError (400)."""
    if not _asks_for_websocket(request):
        raise bad_request("Upgrade request required")
    need_handshake(request)


def need_handshake(request: Request) -> None:
    """Raises StatusError (400)."""
    headers = request.headers
    if b"sec-websocket-key" not in headers or headers.get(b"sec-websocket-version") != b"13":
        raise bad_request("a WebSocket handshake of version 13 is required")
