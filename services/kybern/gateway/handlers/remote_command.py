"""exec and attach: a WebSocket or SPDY on the client's side, one gRPC stream on the node agent's.

Two pumps run at once; the call is over when the agent has sent its status, or the client has gone away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import orjson

from kybern.gateway.api import Api
from kybern.gateway.core import channels, options, spdy_streams
from kybern.gateway.handlers.command_streams import CommandStreams, SpdyStreams, WebSocketChannels
from kybern.gateway.handlers.connect import connect, need_upgrade, need_websocket
from kybern.gateway.handlers.target import Target
from kybern.gateway.http.message import Request, Response
from kybern.gateway.http.spdy import SpdySocket, is_spdy, negotiate
from kybern.gateway.http.websocket import WebSocketClosed
from kybern.kube.status import StatusError, bad_request
from kybern.protos.node.v1 import node_pb2 as node
from kybern.protos.node.v1.node_pb2 import ContainerRef
from kybern.rpc.errors import status_error

STREAMS = {name: name for name in ("stdin", "stdout", "stderr", "tty")}
KUBELET_STREAMS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
PING_SECONDS = 20.0  # between pings of a quiet connection


async def remote_command(api: Api, request: Request, target: Target) -> Response | None:
    """Serve one exec or attach. Raises StatusError when it is refused before the handshake."""
    kind = target.path.subresource
    try:
        start = _start(request, kind, STREAMS)
    except StatusError:
        await connect(api, request, target, target.verb)  # what else is wrong is said first
        raise
    if is_spdy(request):
        agent, container = await connect(api, request, target, target.verb)
        make: Callable[[], CommandStreams] | Response = _spdy(request, start.start)
    else:
        await need_upgrade(api, request, target)
        make = _websocket(request)
        agent, container = await connect(api, request, target, target.verb)
    if isinstance(make, Response):
        return make
    await _serve(agent, kind, start, container, make())
    return None


async def node_command(request: Request, agent: Any, kind: str, container: ContainerRef) -> Response | None:
    """The same as the kubelet has it, below nodes/NAME/proxy: /exec/… and /attach/…. Raises StatusError."""
    start = _start(request, kind, KUBELET_STREAMS)
    if is_spdy(request):
        make: Callable[[], CommandStreams] | Response = _spdy(request, start.start)
    else:
        need_websocket(request)
        make = _websocket(request)
    if isinstance(make, Response):
        return make
    await _serve(agent, kind, start, container, make())
    return None


async def _serve(agent: Any, kind: str, start: Any, container: ContainerRef, client: CommandStreams) -> None:
    start.start.container.CopyFrom(container)
    call = agent.Exec() if kind == "exec" else agent.Attach()
    session = Session(client, call, type(start), start.start)
    try:
        await session.run(start)
    finally:
        call.cancel()
        client.close()


def _spdy(request: Request, streams: Any) -> Callable[[], CommandStreams] | Response:
    """How to switch to SPDY, or why not. Raises StatusError."""
    inner = negotiate(request, spdy_streams.REMOTE_COMMAND)
    if isinstance(inner, Response):
        return inner
    wanted = spdy_streams.expected(
        inner, stdin=streams.stdin, stdout=streams.stdout, stderr=streams.stderr, tty=streams.tty
    )
    return lambda: SpdyStreams(SpdySocket(request, inner), inner, wanted)


def _websocket(request: Request) -> Callable[[], CommandStreams]:
    """How to switch to a WebSocket. Raises StatusError."""
    protocol = channels.choose(request.header(b"sec-websocket-protocol"), channels.REMOTE_COMMAND)
    if protocol is None:
        raise bad_request(f"unable to negotiate protocol: supported are {', '.join(channels.REMOTE_COMMAND)}")
    return lambda: WebSocketChannels(request.reply.upgrade(request, protocol), protocol)


def _start(request: Request, kind: str, streams: Mapping[str, str]) -> Any:
    """The first message to the agent; `streams` names the query's parameters. Raises StatusError (400)."""
    query = request.query
    wanted: dict[str, Any] = {name: options.boolean(query, parameter) for name, parameter in streams.items()}
    if not (wanted["stdin"] or wanted["stdout"] or wanted["stderr"]):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    if wanted["tty"]:
        wanted["stderr"] = False  # a terminal has one output
    if kind == "attach":
        return node.AttachRequest(start=node.AttachStart(**wanted))
    command = query.get("command", [])
    if not command:
        raise bad_request("you must specify a command")
    return node.ExecRequest(start=node.ExecStart(command=command, **wanted))


class Session:
    """The two pumps of one exec or attach."""

    def __init__(self, client: CommandStreams, call: Any, message: type[Any], start: Any) -> None:
        self._client = client
        self._call = call
        self._message = message
        self._streams = start

    async def run(self, start: Any) -> None:
        try:
            await self._client.begin(self._streams.stdout, self._streams.stderr)
        except WebSocketClosed:
            return
        inputs = asyncio.create_task(self._inputs(start))
        outputs = asyncio.create_task(self._outputs())
        pings = asyncio.create_task(self._pings())
        tasks = {inputs, outputs, pings}
        try:
            # The output decides: it ends with the agent's status. Of the input only its failure matters.
            waiting = {inputs, outputs}
            while outputs in waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if inputs in done and inputs.result():
                    return
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        outputs.result()

    async def _inputs(self, start: Any) -> bool:
        """Client → agent; True when the client has gone away."""
        try:
            await self._call.write(start)
            while True:
                message = self._input(await self._client.next())
                if message is not None:
                    await self._call.write(message)
        except WebSocketClosed:
            return True
        except (grpc.RpcError, asyncio.InvalidStateError):
            return False  # the other pump learns why

    def _input(self, found: channels.Input | None) -> Any:
        match found:
            case channels.Stdin(data=data) if self._streams.stdin:
                return self._message(stdin=data)
            case channels.CloseStdin() if self._streams.stdin:
                return self._message(close_stdin=True)
            case channels.Resize(width=width, height=height) if self._streams.tty:
                return self._message(resize=node.TerminalSize(width=width, height=height))
        return None

    async def _outputs(self) -> None:
        """Agent → client, up to and with the status."""
        try:
            try:
                async for response in self._call:
                    if await self._output(response):
                        return
            except grpc.aio.AioRpcError as error:
                await self._client.finish(orjson.dumps(status_error(error).status))
        except WebSocketClosed:
            return

    async def _output(self, response: Any) -> bool:
        match response.WhichOneof("message"):
            case "stdout":
                await self._client.send(channels.STDOUT, response.stdout)
            case "stderr":
                await self._client.send(channels.STDERR, response.stderr)
            case "status":
                await self._client.finish(response.status)
                return True
        return False

    async def _pings(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            self._client.ping()
