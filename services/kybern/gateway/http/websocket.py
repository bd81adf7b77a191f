"""The server side of one WebSocket: wsproto frames, messages in a bounded queue, pings answered.

Reading follows the handler's pace: while messages wait, the transport does not read.
"""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections import deque
from typing import TYPE_CHECKING

from wsproto.connection import Connection as Framing
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from kybern.gateway.http.http1.connection import Connection

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HIGH_WATER = 1 << 20  # bytes of messages that wait before reading stops
MAX_MESSAGE = 16 << 20  # bytes of one message


class WebSocketClosed(Exception):
    """The client closed the socket or went away."""


def accept_token(key: bytes) -> str:
    return b64encode(hashlib.sha1(key + _GUID).digest()).decode()


class WebSocket:
    """`receive` is fed by the connection; handlers use `next`, `send` and `close`."""

    def __init__(self, connection: Connection, key: bytes, protocol: str) -> None:
        self._connection = connection
        self._framing = Framing(ConnectionType.SERVER)
        self._messages: deque[bytes] = deque()
        self._size = 0
        self._partial = bytearray()
        self._arrived = asyncio.Event()
        self._closed = False
        self._reading = True
        chosen = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
        connection.transport.write(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_token(key)}\r\n{chosen}\r\n".encode()
        )

    def receive(self, data: bytes) -> None:
        """Bytes from the network."""
        try:
            self._framing.receive_data(data)
            for event in self._framing.events():
                self._take(event)
        except (RemoteProtocolError, LocalProtocolError):
            self.close(CloseReason.PROTOCOL_ERROR)

    def _take(self, event: object) -> None:
        match event:
            case BytesMessage(data=data):
                self._append(bytes(data), event.message_finished)
            case TextMessage(data=text):
                self._append(text.encode(), event.message_finished)
            case Ping():
                self._write(self._framing.send(event.response()))
            case CloseConnection():
                if not self._closed:
                    self._write(self._framing.send(event.response()))
                self.lost()

    def _append(self, data: bytes, finished: bool) -> None:
        self._partial += data
        if len(self._partial) > MAX_MESSAGE:
            self.close(CloseReason.MESSAGE_TOO_BIG)
        elif finished:
            self._messages.append(bytes(self._partial))
            self._size += len(self._partial)
            self._partial.clear()
            self._arrived.set()
            if self._size > HIGH_WATER and self._reading:
                self._reading = False
                self._connection.transport.pause_reading()

    def lost(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._arrived.set()

    async def next(self) -> bytes:
        """The next message, text as UTF-8. Raises WebSocketClosed after the last one."""
        while not self._messages:
            if self._closed:
                raise WebSocketClosed
            self._arrived.clear()
            await self._arrived.wait()
        message = self._messages.popleft()
        self._size -= len(message)
        if not self._reading and self._size < HIGH_WATER // 2 and not self._closed:
            self._reading = True
            self._connection.transport.resume_reading()
        return message

    async def send(self, message: bytes) -> None:
        """One binary message. Raises WebSocketClosed."""
        if self._closed:
            raise WebSocketClosed
        self._write(self._framing.send(BytesMessage(message)))
        try:
            await self._connection.drain()
        except ConnectionResetError:
            raise WebSocketClosed from None

    def ping(self) -> None:
        """Keep the connection busy, so that nothing on the way drops it."""
        if not self._closed:
            self._write(self._framing.send(Ping()))

    def close(self, code: int = CloseReason.NORMAL_CLOSURE, reason: str = "") -> None:
        if not self._closed:
            self._write(self._framing.send(CloseConnection(code, reason)))
            self.lost()

    def _write(self, data: bytes) -> None:
        if not self._connection.transport.is_closing():
            self._connection.transport.write(data)
