"""Short unary gRPC calls over an HTTP/2 connection of our own, in the event loop.

A call through grpc.aio costs a thread that polls, its messages to the loop and a dozen objects: several times what
etcd needs for a small transaction. What goes here is what nearly all calls are: a small request and its answer.
Anything else `takes` refuses, and it goes through grpc.aio: while there is no connection, when the peer's flow control
has no room, when the request is large. Errors are grpc.aio's, too. After a call without an answer in time the
connection takes no more.

Answers may be as long as they like: our windows are as wide as the protocol allows.
"""

import asyncio
import ssl
import struct
from functools import partial
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio
from hpack import HPACKError

from kybern.rpc.exchange.deadlines import Deadlines
from kybern.rpc.http2 import (
    ACK,
    CANCEL,
    CONTINUATION,
    DATA,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    GOAWAY,
    HEAD,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW,
    MAX_STREAMS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WIDEST,
    WINDOW_UPDATE,
    HeaderBlocks,
    frame,
    header_block,
    settings,
)

SMALL = 16_000  # bytes of a request: one frame at the smallest limit that a peer may set
CODES = {str(code.value[0]): code for code in grpc.StatusCode}


class Call:
    """One open call."""

    __slots__ = ("answer", "data")

    def __init__(self, answer: "asyncio.Future[bytes]") -> None:
        self.answer = answer
        self.data = bytearray()


class UnaryConnection(asyncio.Protocol):
    """See the module's docstring; made by `connect`."""

    def __init__(self, authority: str, scheme: str, timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._head = [
            (":method", "POST"),
            (":scheme", scheme),
            (":authority", authority),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("grpc-timeout", f"{int(timeout * 1000)}m"),
            ("hasleader", "true"),
        ]
        self._heads: dict[str, bytes] = {}
        self._blocks = HeaderBlocks()
        self._calls: dict[int, Call] = {}
        self._deadlines = Deadlines(self._loop, self._late)
        self._next = 1
        self._buffer = b""
        self._block: tuple[int, int, bytes] | None = None  # headers that go on: stream, flags, so far
        self._streams = 100  # how many the peer allows
        self._room = self._stream_room = FIRST_WINDOW  # bytes that we may send: in all, and in a new stream
        self._received = 0  # bytes since our window was last opened
        self._open, self._young = False, True  # young: the peer has said nothing yet
        self.transport: Any = None

    # Calls

    @property
    def ended(self) -> bool:
        """Whether it will take no call any more."""
        return self.transport is None or not (self._open or self._young)

    def takes(self, size: int) -> bool:
        """Whether a request of so many bytes can be sent just now."""
        size += 5
        room = size <= SMALL and size <= self._room and size <= self._stream_room
        return self._open and room and len(self._calls) < self._streams

    async def call(self, method: str, request: bytes) -> bytes:
        """Send a request that it takes; the answer. Raises AioRpcError."""
        number, self._next = self._next, self._next + 2
        self._open = self._open and self._next < WIDEST - 2
        head = self._heads.get(method)
        if head is None:
            head = self._heads[method] = header_block([(":path", method), *self._head])
        size = len(request) + 5
        self._room -= size
        call = self._calls[number] = Call(self._loop.create_future())
        self.transport.write(
            b"".join(
                (
                    frame(len(head), HEADERS, END_HEADERS, number),
                    head,
                    frame(size, DATA, END_STREAM, number),
                    b"\0",
                    (size - 5).to_bytes(4, "big"),
                    request,
                )
            )
        )
        self._deadlines.set(number, self._timeout)
        try:
            return await call.answer
        finally:
            self._deadlines.drop(number)
            if self._calls.pop(number, None) is not None and self.transport is not None:
                self.transport.write(frame(4, RST_STREAM, 0, number) + CANCEL)
            if not (self._open or self._calls):
                self.close()

    def _late(self, number: int) -> None:
        self._open = False
        call = self._calls.get(number)
        if call is not None:
            _fail(call, grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")

    # The transport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(PREFACE + settings((HEADER_TABLE_SIZE, 0), (ENABLE_PUSH, 0), (INITIAL_WINDOW, WIDEST)))

    def connection_lost(self, error: Exception | None) -> None:
        self._open, self.transport = False, None
        calls, self._calls = self._calls, {}
        for call in calls.values():
            _fail(call, grpc.StatusCode.UNAVAILABLE, f"Socket closed ({error or 'by the peer'})")

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        at, end = 0, len(buffer)
        try:
            while end - at >= HEAD:
                length = int.from_bytes(buffer[at : at + 3], "big")
                if end - at - 9 < length:
                    break
                stream = int.from_bytes(buffer[at + 5 : at + 9], "big") & WIDEST
                self._take(buffer[at + 3], buffer[at + 4], stream, buffer[at + 9 : at + 9 + length])
                at += 9 + length
        except (HPACKError, ValueError, IndexError, struct.error) as error:
            self.close(f"what the peer sends is not understood: {error}")
            return
        self._buffer = buffer[at:]

    def close(self, why: str = "closed") -> None:
        """Fail what is open."""
        self._open = self._young = False
        calls, self._calls = self._calls, {}
        for call in calls.values():
            _fail(call, grpc.StatusCode.UNAVAILABLE, why)
        if self.transport is not None:
            self.transport.abort()

    # Frames

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:
            if flags & PADDED:
                raise ValueError("padding")
            self._received += len(payload)
            if self._received > WIDEST // 2:
                self.transport.write(frame(4, WINDOW_UPDATE, 0, 0) + self._received.to_bytes(4, "big"))
                self._received = 0
            call = self._calls.get(stream)
            if call is not None:
                call.data += payload
        elif kind in (HEADERS, CONTINUATION):
            self._headers(kind, flags, stream, payload)
        elif kind == WINDOW_UPDATE:
            if not stream:
                self._room += int.from_bytes(payload, "big") & WIDEST
        elif kind == SETTINGS:
            if not flags & ACK:
                self._settings(payload)
        elif kind == PING:
            if not flags & ACK:
                self.transport.write(frame(8, PING, ACK, 0) + payload)
        elif kind == RST_STREAM:
            call = self._calls.pop(stream, None)
            if call is not None:
                reset = f"the stream was reset with error {int.from_bytes(payload, 'big')}"
                _fail(call, grpc.StatusCode.UNAVAILABLE, reset)
        elif kind == GOAWAY:
            self._open = False  # calls under way may still be answered
            if not self._calls:
                self.close()

    def _settings(self, payload: bytes) -> None:
        for setting, value in struct.iter_unpack(">HI", payload):
            if setting == MAX_STREAMS:
                self._streams = value
            elif setting == INITIAL_WINDOW:
                self._stream_room = value
        self._open, self._young = self._open or self._young, False
        self.transport.write(frame(0, SETTINGS, ACK, 0))

    def _headers(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == HEADERS:
            if flags & (PADDED | PRIORITY):
                raise ValueError("padding or priority")
            first = flags
        elif self._block is not None and self._block[0] == stream:
            first, payload = self._block[1], self._block[2] + payload
        else:
            raise ValueError("a continuation of nothing")
        self._block = None if flags & END_HEADERS else (stream, first, payload)
        if self._block is None:
            headers = self._blocks.decode(payload)
            if first & END_STREAM and (call := self._calls.pop(stream, None)) is not None:
                _finish(call, headers)


async def connect(endpoint: str, tls: ssl.SSLContext | None, timeout: float) -> UnaryConnection:
    """A connection to HOST:PORT, which takes calls once its peer has said something. Raises OSError."""
    host, _, port = endpoint.rpartition(":")
    scheme = "https" if tls is not None else "http"
    make = partial(UnaryConnection, endpoint, scheme, timeout)
    _, connection = await asyncio.get_running_loop().create_connection(make, host.strip("[]"), int(port), ssl=tls)
    return connection


def _finish(call: Call, headers: dict[str, str]) -> None:
    """The stream has ended with these headers."""
    if call.answer.done():
        return
    status, data = headers.get("grpc-status", "2"), call.data
    if status != "0":
        _fail(call, CODES.get(status, grpc.StatusCode.UNKNOWN), unquote(headers.get("grpc-message", "")))
    elif len(data) < 5 or data[0] or int.from_bytes(data[1:5], "big") != len(data) - 5:
        _fail(call, grpc.StatusCode.INTERNAL, "the answer is not one message")
    else:
        call.answer.set_result(bytes(memoryview(data)[5:]))


def _fail(call: Call, code: grpc.StatusCode, details: str) -> None:
    if not call.answer.done():
        nothing = grpc.aio.Metadata()
        call.answer.set_exception(grpc.aio.AioRpcError(code, nothing, nothing, details, ""))
