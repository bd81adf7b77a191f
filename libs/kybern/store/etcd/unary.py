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
from functools import partial
from typing import Any

import grpc
import grpc.aio

from kybern.rpc.exchange.deadlines import Deadlines
from kybern.rpc.http2.connection import Http2Connection
from kybern.rpc.http2.frames import (
    CANCEL,
    DATA,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW,
    PREFACE,
    RST_STREAM,
    WIDEST,
    frame,
    header_block,
    settings,
)
from kybern.rpc.http2.status import status_of

SMALL = 16_000  # bytes of a request: one frame at the smallest limit that a peer may set


class Call:
    """One open call."""

    __slots__ = ("answer", "data")

    def __init__(self, answer: "asyncio.Future[bytes]") -> None:
        self.answer = answer
        self.data = bytearray()


class UnaryConnection(Http2Connection):
    """See the module's docstring; made by `connect`."""

    def __init__(self, authority: str, scheme: str, timeout: float) -> None:
        super().__init__()
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
        self._calls: dict[int, Call] = {}
        self._deadlines = Deadlines(self._loop, self._late)
        self._next = 1
        self._open, self._young = False, True  # young: the peer has said nothing yet

    # Calls

    @property
    def ended(self) -> bool:
        """Whether it will take no call any more."""
        return self.transport is None or not (self._open or self._young)

    def takes(self, size: int) -> bool:
        """Whether a request of so many bytes can be sent just now."""
        size += 5
        room = size <= SMALL and size <= self._room and size <= self._first_room
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
        super().connection_made(transport)
        transport.write(PREFACE + settings((HEADER_TABLE_SIZE, 0), (ENABLE_PUSH, 0), (INITIAL_WINDOW, WIDEST)))

    def connection_lost(self, error: Exception | None) -> None:
        self._open, self.transport = False, None
        calls, self._calls = self._calls, {}
        for call in calls.values():
            _fail(call, grpc.StatusCode.UNAVAILABLE, f"Socket closed ({error or 'by the peer'})")

    def close(self, why: str = "closed") -> None:
        """Fail what is open."""
        self._open = self._young = False
        calls, self._calls = self._calls, {}
        for call in calls.values():
            _fail(call, grpc.StatusCode.UNAVAILABLE, why)
        if self.transport is not None:
            self.transport.abort()

    def give_up(self, why: str) -> None:
        self.close(why)

    # Frames

    def _data(self, stream: int, payload: memoryview, ends: bool) -> None:
        call = self._calls.get(stream)
        if call is not None:
            call.data += payload

    def _headers(self, stream: int, headers: dict[str, str], ends: bool) -> None:
        if ends and (call := self._calls.pop(stream, None)) is not None:
            _finish(call, headers)

    def _was_reset(self, stream: int, code: int) -> None:
        call = self._calls.pop(stream, None)
        if call is not None:
            _fail(call, grpc.StatusCode.UNAVAILABLE, f"the stream was reset with error {code}")

    def _settled(self) -> None:
        self._open, self._young = self._open or self._young, False

    def _going_away(self) -> None:
        self._open = False  # calls under way may still be answered
        if not self._calls:
            self.close()


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
    (code, details), data = status_of(headers), call.data
    if code is not grpc.StatusCode.OK:
        _fail(call, code, details)
    elif len(data) < 5 or data[0] or int.from_bytes(data[1:5], "big") != len(data) - 5:
        _fail(call, grpc.StatusCode.INTERNAL, "the answer is not one message")
    else:
        call.answer.set_result(bytes(memoryview(data)[5:]))


def _fail(call: Call, code: grpc.StatusCode, details: str) -> None:
    if not call.answer.done():
        nothing = grpc.aio.Metadata()
        call.answer.set_exception(grpc.aio.AioRpcError(code, nothing, nothing, details, ""))
