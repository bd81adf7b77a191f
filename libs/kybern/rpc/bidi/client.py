"""The calling end of a stream in the event loop."""

import asyncio
import base64
import ssl
from collections.abc import Callable
from typing import Any, Self

import grpc
import grpc.aio

from kybern.rpc.bidi.stream import MessageStream
from kybern.rpc.http2.frames import (
    CANCEL,
    ENABLE_PUSH,
    END_HEADERS,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW,
    LARGEST_FRAME,
    MAX_FRAME,
    PREFACE,
    RST_STREAM,
    WIDEST,
    frame,
    header_block,
    settings,
)
from kybern.rpc.http2.status import status_of

STREAM = 1


class ClientStream(MessageStream):
    """A stream that `connect` has opened: a connection of its own."""

    def __init__(self, method: str, authority: str) -> None:
        super().__init__()
        self._number = STREAM
        self._request = header_block(
            (
                (":method", "POST"),
                (":scheme", "https"),
                (":path", method),
                (":authority", authority),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
            )
        )
        self._answered: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        for future in (self._answered, self._ended):
            future.add_done_callback(_retrieve)

    @classmethod
    async def connect(cls, path: str, method: str, authority: str, tls: ssl.SSLContext) -> Self:
        """Open a stream over a new connection to a Unix socket; raises AioRpcError."""
        loop = asyncio.get_running_loop()
        try:
            _, stream = await loop.create_unix_connection(
                lambda: cls(method, authority), path, ssl=tls, server_hostname=authority
            )
        except (OSError, ssl.SSLError) as error:
            raise rpc_error(grpc.StatusCode.UNAVAILABLE, f"failed to connect to {path}: {error}") from error
        return stream

    async def wait_for_connection(self) -> None:
        """Until the server has taken the call; raises AioRpcError."""
        await asyncio.shield(self._answered)

    async def run(self, received: Callable[[bytes], None], roomy: Callable[[], None]) -> None:
        """Hand over messages until the server ends the stream; raises AioRpcError if it fails."""
        self.follow(received, roomy)
        await asyncio.shield(self._ended)

    def cancel(self) -> None:
        """End the stream and its connection."""
        if self.transport is not None:
            if not self._ended.done():
                self.transport.write(frame(4, RST_STREAM, 0, STREAM) + CANCEL)
            self.transport.close()
        self._end(rpc_error(grpc.StatusCode.CANCELLED, "Locally cancelled by application!"))

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        ours = (HEADER_TABLE_SIZE, 0), (ENABLE_PUSH, 0), (INITIAL_WINDOW, WIDEST), (MAX_FRAME, LARGEST_FRAME)
        head = frame(len(self._request), HEADERS, END_HEADERS, STREAM)
        transport.write(PREFACE + settings(*ours) + head + self._request)

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self._end(rpc_error(grpc.StatusCode.UNAVAILABLE, f"Socket closed ({error or 'by the peer'})"))

    def give_up(self, why: str) -> None:
        self._end(rpc_error(grpc.StatusCode.INTERNAL, why))
        super().give_up(why)

    def _headers(self, stream: int, headers: dict[str, str], ends: bool) -> None:
        if not ends:
            if not self._answered.done():
                self._answered.set_result(None)
            return
        code, details = status_of(headers)
        self._end(None if code is grpc.StatusCode.OK else rpc_error(code, details, headers))

    def _half_closed(self) -> None:
        self._end(rpc_error(grpc.StatusCode.INTERNAL, "the stream ended without a status"))

    def _was_reset(self, stream: int, code: int) -> None:
        self._end(rpc_error(grpc.StatusCode.UNAVAILABLE, f"the stream was reset with error {code}"))

    def _end(self, error: grpc.aio.AioRpcError | None) -> None:
        for future in (self._answered, self._ended):
            if not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)


def rpc_error(code: grpc.StatusCode, details: str, headers: dict[str, str] | None = None) -> grpc.aio.AioRpcError:
    """A failed call as grpc.aio tells of it."""
    trailing = grpc.aio.Metadata()
    for name, value in (headers or {}).items():
        if name.endswith("-bin"):
            trailing.add(name, base64.b64decode(value + "=" * (-len(value) % 4)))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details, "")


def _retrieve(future: "asyncio.Future[None]") -> None:
    """Nobody has to ask for the error."""
    if not future.cancelled():
        future.exception()
