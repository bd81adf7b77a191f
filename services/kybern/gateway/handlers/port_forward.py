"""port-forward: SPDY tunnelled in a WebSocket (kubectl 1.31 and later), SPDY itself, or the classic channels of v4.

Each forwarded connection is one PortForward call to the node agent. In the tunnel a connection is a pair of SPDY
streams, data and error, that share a request id; in the classic protocol each port is one connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from kybern.gateway.api import Api
from kybern.gateway.core import channels, spdy_streams
from kybern.gateway.handlers.connect import connect, need_upgrade, need_websocket
from kybern.gateway.handlers.target import Target
from kybern.gateway.http.message import Request, Response
from kybern.gateway.http.spdy import SpdySocket, is_spdy, negotiate
from kybern.gateway.http.websocket import WebSocket, WebSocketClosed
from kybern.kube.status import bad_request
from kybern.protos.node.v1.node_pb2 import ContainerRef, PortForwardRequest, PortForwardStart
from kybern.rpc.errors import status_error
from kybern.spdy import session as spdy

MAX_WAITING = 64  # messages of one connection that the agent has not taken yet
END = b""
Socket = WebSocket | SpdySocket
Send = Callable[[bytes], Awaitable[None]]


async def port_forward(api: Api, request: Request, target: Target) -> Response | None:
    """Serve one port-forward. Raises StatusError when it is refused before the handshake."""
    if is_spdy(request):
        agent, container = await connect(api, request, target, target.verb)
        return await _spdy(request, agent, container)
    await need_upgrade(api, request, target)
    protocol, ports = _websocket(request, "ports")
    agent, container = await connect(api, request, target, target.verb)
    await _switch(request, protocol, ports, agent, container)
    return None


async def node_port_forward(request: Request, agent: Any, container: ContainerRef) -> Response | None:
    """The same as the kubelet has it, below nodes/NAME/proxy: /portForward/…. Raises StatusError."""
    if is_spdy(request):
        return await _spdy(request, agent, container)
    need_websocket(request)
    protocol, ports = _websocket(request, "port")
    await _switch(request, protocol, ports, agent, container)
    return None


async def _spdy(request: Request, agent: Any, container: ContainerRef) -> Response | None:
    inner = negotiate(request, spdy_streams.PORT_FORWARD)
    if isinstance(inner, Response):
        return inner
    await _serve(SpdySocket(request, inner), agent, container, lambda socket, forwards: Tunnel(socket, forwards).run())
    return None


def _websocket(request: Request, parameter: str) -> tuple[str, list[int]]:
    """The protocol, and the ports that a classic client names. Raises StatusError."""
    protocol = channels.choose(request.header(b"sec-websocket-protocol"), channels.PORT_FORWARD)
    if protocol is None:
        raise bad_request(f"unable to negotiate protocol: supported are {', '.join(channels.PORT_FORWARD)}")
    if protocol == channels.TUNNEL:
        return protocol, []
    try:
        return protocol, channels.read_ports(request.query.get(parameter, ()))
    except ValueError as error:
        raise bad_request(str(error)) from None


async def _switch(request: Request, protocol: str, ports: list[int], agent: Any, container: ContainerRef) -> None:
    socket = request.reply.upgrade(request, protocol)
    if protocol == channels.TUNNEL:
        await _serve(socket, agent, container, lambda socket, forwards: Tunnel(socket, forwards).run())
    else:
        await _serve(socket, agent, container, lambda socket, forwards: classic(socket, forwards, ports))


async def _serve(
    socket: Socket, agent: Any, container: ContainerRef, speak: Callable[[Socket, Forwards], Awaitable[None]]
) -> None:
    """Until the client goes away."""
    try:
        async with asyncio.TaskGroup() as tasks:
            forwards = Forwards(agent, container, tasks)
            await speak(socket, forwards)
            forwards.stop()
    finally:
        socket.close()


class Inputs:
    """What the client sends on one connection: bounded, and swallowed once the connection is over."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_WAITING)
        self._closed = False

    async def put(self, data: bytes) -> None:
        if not self._closed:
            await self._queue.put(data)

    async def get(self) -> bytes:
        return await self._queue.get()

    def close(self) -> None:
        """Nobody reads any more; whoever waits for room goes on."""
        self._closed = True
        while not self._queue.empty():
            self._queue.get_nowait()


class Forwards:
    """The connections of one port-forward request."""

    def __init__(self, agent: Any, container: ContainerRef, tasks: asyncio.TaskGroup) -> None:
        self._agent = agent
        self._container = container
        self._tasks = tasks
        self._running: set[asyncio.Task[None]] = set()

    def start(self, port: int, send: Send, finish: Callable[[str], Awaitable[None]]) -> Inputs:
        """Connect to a port; what is put into the result goes to the pod, END says that no more will come.

        `send` gets what the pod says, `finish` the error or "" once the connection is over.
        """
        inputs = Inputs()
        task = self._tasks.create_task(self._forward(port, inputs, send, finish))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return inputs

    def stop(self) -> None:
        """The client has gone away."""
        for task in list(self._running):
            task.cancel()

    async def _forward(self, port: int, inputs: Inputs, send: Send, finish: Callable[[str], Awaitable[None]]) -> None:
        call = self._agent.PortForward()
        writer = asyncio.create_task(self._write(call, port, inputs))
        problem = ""
        try:
            async for response in call:
                if response.data:
                    await send(response.data)
                if response.error:
                    problem = response.error
        except grpc.aio.AioRpcError as error:
            problem = status_error(error).message
        except WebSocketClosed:
            return
        finally:
            inputs.close()
            writer.cancel()
            await asyncio.wait({writer})
            call.cancel()
        try:
            await finish(problem)
        except WebSocketClosed:
            return

    async def _write(self, call: Any, port: int, inputs: Inputs) -> None:
        try:
            start = PortForwardStart(container=self._container, port=port)
            await call.write(PortForwardRequest(start=start))
            while data := await inputs.get():
                await call.write(PortForwardRequest(data=data))
            await call.done_writing()
        except (grpc.RpcError, asyncio.InvalidStateError):
            inputs.close()  # the reader learns why


class Tunnel:
    """A SPDY session, inside a WebSocket or on a connection of its own."""

    def __init__(self, socket: Socket, forwards: Forwards) -> None:
        self._socket = socket
        self._forwards = forwards
        self._session = spdy.Session()
        self._errors: dict[str, int] = {}  # request id → its error stream
        self._inputs: dict[int, Inputs] = {}  # data stream → what goes to the pod

    async def run(self) -> None:
        """Until the client goes away, or says something that is not SPDY."""
        try:
            while True:
                for event in self._session.receive(await self._socket.next()):
                    await self._take(event)
        except (WebSocketClosed, spdy.SpdyError):
            return

    async def _take(self, event: spdy.Event) -> None:
        match event:
            case spdy.Opened():
                await self._opened(event)
            case spdy.Data(stream=stream, data=data, finished=finished) if stream in self._inputs:
                if data:
                    await self._inputs[stream].put(data)
                if finished:
                    await self._inputs.pop(stream).put(END)
            case spdy.Reset(stream=stream) if stream in self._inputs:
                await self._inputs.pop(stream).put(END)
            case spdy.Pinged(id=ping_id) if ping_id % 2:
                await self._socket.send(self._session.ping(ping_id))

    async def _opened(self, event: spdy.Opened) -> None:
        kind, request_id = event.headers.get("streamtype", ""), event.headers.get("requestid", "")
        port = event.headers.get("port", "")
        known = kind == "error" or (kind == "data" and request_id in self._errors)
        try:
            (number,) = channels.read_ports([port])
        except ValueError:
            known = False
        if not known:
            await self._socket.send(self._session.reset(event.stream))
            return
        await self._socket.send(self._session.reply(event.stream))
        if kind == "error":
            self._errors[request_id] = event.stream
        else:
            self._connect(event.stream, self._errors.pop(request_id), number)

    def _connect(self, data: int, error: int, port: int) -> None:
        async def send(chunk: bytes) -> None:
            await self._socket.send(self._session.data(data, chunk))

        async def finish(problem: str) -> None:
            message = f"an error occurred forwarding {port}: {problem}".encode() if problem else b""
            ends = self._session.data(error, message, finished=True), self._session.data(data, b"", finished=True)
            await self._socket.send(b"".join(ends))

        self._inputs[data] = self._forwards.start(port, send, finish)


async def classic(socket: Socket, forwards: Forwards, ports: list[int]) -> None:
    """Channels 2n and 2n+1 for the n-th port, each greeted with the port's number."""
    inputs = []
    for index, port in enumerate(ports):
        for channel in (2 * index, 2 * index + 1):
            await socket.send(channels.port_greeting(channel, port))
        inputs.append(forwards.start(port, *_channel_pair(socket, index)))
    try:
        while True:
            message = await socket.next()
            index, is_error = divmod(message[0], 2) if message else (len(inputs), 0)
            if index < len(inputs) and not is_error and len(message) > 1:
                await inputs[index].put(message[1:])
    except WebSocketClosed:
        return


def _channel_pair(socket: Socket, index: int) -> tuple[Send, Callable[[str], Awaitable[None]]]:
    async def send(chunk: bytes) -> None:
        await socket.send(channels.channel_message(2 * index, chunk))

    async def finish(problem: str) -> None:
        if problem:
            await socket.send(channels.channel_message(2 * index + 1, problem.encode()))

    return send, finish
