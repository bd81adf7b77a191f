"""The client's side of an exec or attach: channels in a WebSocket's messages, or streams of a SPDY connection."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from kybern.gateway.core import channels, spdy_streams
from kybern.gateway.core.channels import CloseStdin, Input, Stdin
from kybern.gateway.http.spdy import SpdySocket
from kybern.gateway.http.websocket import WebSocket, WebSocketClosed
from kybern.spdy import session as spdy

OPEN_SECONDS = 30.0  # that a client may take to open its streams
NAMES = {channels.STDIN: "stdin", channels.STDOUT: "stdout", channels.STDERR: "stderr"}


class CommandStreams(Protocol):
    """Everything raises WebSocketClosed once the client is gone."""

    async def begin(self, stdout: bool, stderr: bool) -> None:
        """Tell the client that it is connected, or wait until it is ready."""
        ...

    async def next(self) -> Input | None:
        """What the client says; None for what means nothing."""
        ...

    async def send(self, channel: int, data: bytes) -> None:
        """Output on STDOUT or STDERR."""
        ...

    async def finish(self, status: bytes) -> None:
        """The Status of the command; nothing follows."""
        ...

    def ping(self) -> None:
        """Keep the connection busy."""
        ...

    def close(self) -> None: ...


class WebSocketChannels:
    """See `kybern.gateway.core.channels`."""

    def __init__(self, socket: WebSocket, protocol: str) -> None:
        self._socket = socket
        self._protocol = protocol

    async def begin(self, stdout: bool, stderr: bool) -> None:
        await self.send(channels.greeting_channel(stdout, stderr), b"")

    async def next(self) -> Input | None:
        return channels.read_input(await self._socket.next(), self._protocol)

    async def send(self, channel: int, data: bytes) -> None:
        await self._socket.send(channels.channel_message(channel, data))

    async def finish(self, status: bytes) -> None:
        last = spdy_streams.final(self._protocol, status) if self._protocol == channels.V1 else status
        if last:
            await self.send(channels.ERROR, last)

    def ping(self) -> None:
        self._socket.ping()

    def close(self) -> None:
        self._socket.close()


class SpdyStreams:
    """The client opens a stream for each channel; `wanted` are those it has to open."""

    def __init__(self, socket: SpdySocket, protocol: str, wanted: frozenset[str]) -> None:
        self._socket = socket
        self._protocol = protocol
        self._wanted = wanted
        self._session = spdy.Session()
        self._ids: dict[str, int] = {}
        self._inputs: deque[Input] = deque()

    async def begin(self, stdout: bool, stderr: bool) -> None:
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                while not self._wanted <= self._ids.keys():
                    await self._read()
        except TimeoutError:
            raise WebSocketClosed from None

    async def next(self) -> Input | None:
        while not self._inputs:
            await self._read()
        return self._inputs.popleft()

    async def _read(self) -> None:
        try:
            for event in self._session.receive(await self._socket.next()):
                await self._take(event)
        except spdy.SpdyError:
            raise WebSocketClosed from None

    async def _take(self, event: spdy.Event) -> None:
        match event:
            case spdy.Opened(stream=stream, headers=headers):
                kind = headers.get("streamtype", "")
                if kind in self._wanted and kind not in self._ids:
                    self._ids[kind] = stream
                    await self._socket.send(self._session.reply(stream))
                else:
                    await self._socket.send(self._session.reset(stream))
            case spdy.Data(stream=stream, data=data, finished=finished):
                self._data(stream, data, finished)
            case spdy.Reset(stream=stream):
                self._data(stream, b"", True)
            case spdy.Pinged(id=ping_id) if ping_id % 2:  # even ones are answers
                await self._socket.send(self._session.ping(ping_id))

    def _data(self, stream: int, data: bytes, finished: bool) -> None:
        if stream == self._ids.get("stdin"):
            if data:
                self._inputs.append(Stdin(data))
            if finished:
                self._inputs.append(CloseStdin())
        elif stream == self._ids.get("resize"):
            self._inputs += spdy_streams.sizes(data)

    async def send(self, channel: int, data: bytes) -> None:
        stream = self._ids.get(NAMES[channel])
        if stream is not None and data:
            await self._socket.send(self._session.data(stream, data))

    async def finish(self, status: bytes) -> None:
        last = spdy_streams.final(self._protocol, status)
        parts = [self._session.data(self._ids["error"], last, finished=True)] if "error" in self._ids else []
        outputs = [self._ids[name] for name in ("stdout", "stderr") if name in self._ids]
        parts += (self._session.data(stream, b"", finished=True) for stream in outputs)
        await self._socket.send(b"".join((*parts, self._session.goaway())))

    def ping(self) -> None:
        """TCP keeps such a connection; clients of this age send pings of their own."""

    def close(self) -> None:
        self._socket.close()
