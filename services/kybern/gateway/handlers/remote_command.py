"""exec and attach: a WebSocket of channels on the client's side, one gRPC stream on the node agent's.

Two pumps run at once; the call is over when the agent has sent its status, or the client has gone away.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import orjson

from kybern.gateway.api import Api
from kybern.gateway.core import channels, options
from kybern.gateway.handlers.connect import connect, need_upgrade
from kybern.gateway.handlers.target import Target
from kybern.gateway.http.message import Request
from kybern.gateway.http.websocket import WebSocket, WebSocketClosed
from kybern.kube.status import StatusError, bad_request
from kybern.protos.node.v1 import node_pb2 as node
from kybern.rpc.errors import status_error

PING_SECONDS = 20.0  # between pings of a quiet connection


async def remote_command(api: Api, request: Request, target: Target) -> None:
    """Serve one exec or attach. Raises StatusError when it is refused before the handshake."""
    start = _start(request, target.path.subresource)
    await need_upgrade(api, request, target)
    protocol = channels.choose(request.header(b"sec-websocket-protocol"), channels.REMOTE_COMMAND)
    if protocol is None:
        raise bad_request(f"unable to negotiate protocol: supported are {', '.join(channels.REMOTE_COMMAND)}")
    agent, container = await connect(api, request, target, "create")
    start.start.container.CopyFrom(container)
    call = agent.Exec() if target.path.subresource == "exec" else agent.Attach()
    socket = request.connection.upgrade(request, protocol)
    session = Session(socket, call, protocol, type(start), start.start)
    try:
        await session.run(start)
    finally:
        call.cancel()
        socket.close()


def _start(request: Request, subresource: str) -> Any:
    """The first message to the agent. Raises StatusError (400) for streams that make no sense."""
    query = request.query
    wanted: dict[str, Any] = {name: options.boolean(query, name) for name in ("stdin", "stdout", "stderr", "tty")}
    if not (wanted["stdin"] or wanted["stdout"] or wanted["stderr"]):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    if wanted["tty"]:
        wanted["stderr"] = False  # a terminal has one output
    if subresource == "attach":
        return node.AttachRequest(start=node.AttachStart(**wanted))
    command = query.get("command", [])
    if not command:
        raise bad_request("you must specify a command")
    return node.ExecRequest(start=node.ExecStart(command=command, **wanted))


class Session:
    """The two pumps of one exec or attach."""

    def __init__(self, socket: WebSocket, call: Any, protocol: str, message: type[Any], start: Any) -> None:
        self._socket = socket
        self._call = call
        self._protocol = protocol
        self._message = message
        self._streams = start

    async def run(self, start: Any) -> None:
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
                message = self._input(channels.read_input(await self._socket.next(), self._protocol))
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
            await self._send(channels.greeting_channel(self._streams.stdout, self._streams.stderr), b"")
            try:
                async for response in self._call:
                    if await self._output(response):
                        return
            except grpc.aio.AioRpcError as error:
                await self._fail(status_error(error))
        except WebSocketClosed:
            return

    async def _output(self, response: Any) -> bool:
        match response.WhichOneof("message"):
            case "stdout":
                await self._send(channels.STDOUT, response.stdout)
            case "stderr":
                await self._send(channels.STDERR, response.stderr)
            case "status":
                await self._send(channels.ERROR, response.status)
                return True
        return False

    async def _fail(self, error: StatusError) -> None:
        await self._send(channels.ERROR, orjson.dumps(error.status))

    async def _send(self, channel: int, data: bytes) -> None:
        await self._socket.send(channels.channel_message(channel, data))

    async def _pings(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            self._socket.ping()
