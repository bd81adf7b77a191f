"""The serving end: a listener on a Unix socket whose connections each carry one stream."""

import asyncio
import base64
import logging
import os
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn
from urllib.parse import quote

import grpc
import grpc.aio

from kybern.pki.contexts import renew, server_context
from kybern.pki.source import CertificateSource
from kybern.rpc.address import prepare
from kybern.rpc.bidi.stream import MessageStream
from kybern.rpc.http2.frames import (
    END_HEADERS,
    END_STREAM,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW,
    LARGEST_FRAME,
    MAX_FRAME,
    MAX_STREAMS,
    PREFACE,
    REFUSED,
    RST_STREAM,
    WIDEST,
    frame,
    header_block,
    settings,
)
from kybern.rpc.identity import NOBODY, certificate_identity
from kybern.rpc.transport import Identity

PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
ANSWER = header_block(((":status", "200"), ("content-type", "application/grpc")))
Trailing = tuple[tuple[str, str | bytes], ...]


class Listener:
    """Serves streams on a Unix socket; `handlers` by full method name."""

    def __init__(
        self, path: str, certificates: CertificateSource, handlers: Mapping[str, Any], log: logging.Logger
    ) -> None:
        self._path, self._certificates, self.handlers, self.log = path, certificates, handlers, log
        self.connections: set[ServerStream] = set()
        self._server: asyncio.Server | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Bind and serve; raises CannotListen."""
        prepare(f"unix:{self._path}")
        context = server_context(self._certificates.current(), ["h2"])
        self._unsubscribe = self._certificates.on_change(partial(renew, context))
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: ServerStream(self), self._path, ssl=context)

    async def stop(self, grace: float | None) -> None:
        """Take no new stream, let open ones end within `grace` seconds, remove the socket."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._unsubscribe()
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        tasks = [connection.task for connection in self.connections if connection.task is not None]
        if tasks and grace:
            await asyncio.wait(tasks, timeout=grace)
        for connection in list(self.connections):
            connection.end()
        if tasks:
            await asyncio.wait(tasks)


class ServerStream(MessageStream):
    """One stream and its connection: both the requests and the context of its handler."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener
        self.identity: Identity = NOBODY
        self.task: asyncio.Task[None] | None = None
        self._requests: dict[str, str] = {}
        self._greeted = self._answered = False
        self._done: asyncio.Future[None] = self._loop.create_future()  # the client sends no more
        self._code: grpc.StatusCode | None = None
        self._details = ""
        self._trailing: Trailing = ()

    # What the handler is given

    async def run(self, received: Callable[[bytes], None], roomy: Callable[[], None]) -> None:
        """Hand over messages until the client sends no more."""
        self.follow(received, roomy)
        await asyncio.shield(self._done)

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Tell the client that its call was taken."""
        self._answered = True
        self._write(frame(len(ANSWER), HEADERS, END_HEADERS, self._number) + ANSWER)

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Trailing = ()) -> NoReturn:
        """End the stream with a status."""
        self._code, self._details, self._trailing = code, details, trailing_metadata
        raise grpc.aio.AbortError("Locally aborted.")

    def code(self) -> grpc.StatusCode | None:
        return self._code

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return tuple(self._requests.items())

    def time_remaining(self) -> None:
        """Streams have no deadline of their own."""

    # The transport

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        certificate = transport.get_extra_info("ssl_object").getpeercert(True)
        self.identity = certificate_identity(ssl.DER_cert_to_PEM_cert(certificate).encode()) if certificate else NOBODY
        self._listener.connections.add(self)
        ours = (HEADER_TABLE_SIZE, 0), (MAX_STREAMS, 1), (INITIAL_WINDOW, WIDEST), (MAX_FRAME, LARGEST_FRAME)
        transport.write(settings(*ours))

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self._listener.connections.discard(self)
        if self.task is not None:
            self.task.cancel()

    def end(self) -> None:
        """Cancel the handler and close."""
        if self.task is not None:
            self.task.cancel()
        if self.transport is not None:
            self.transport.close()

    def _read(self, buffer: bytes | bytearray) -> int:
        if self._greeted:
            return super()._read(buffer)
        if len(buffer) < len(PREFACE) and PREFACE.startswith(buffer):
            return 0
        if not buffer.startswith(PREFACE):
            raise ValueError("no HTTP/2")
        self._greeted = True
        return len(PREFACE) + super()._read(buffer[len(PREFACE) :])

    # The stream

    def _headers(self, stream: int, headers: dict[str, str], ends: bool) -> None:
        if self._number:
            if stream != self._number:
                self._write(frame(4, RST_STREAM, 0, stream) + REFUSED)
            elif ends:
                self._half_closed()
            return
        self._number, self._requests = stream, headers
        handler = self._listener.handlers.get(headers.get(":path", ""))
        self.task = self._loop.create_task(self._serve(handler), name=headers.get(":path"))
        if ends:
            self._half_closed()

    async def _serve(self, handler: Any) -> None:
        code, details = grpc.StatusCode.CANCELLED, "the server is shutting down"
        try:
            if handler is None:
                code, details = grpc.StatusCode.UNIMPLEMENTED, "Method not found!"
                return
            await handler.stream_stream(self, self)
            code, details = self._code or grpc.StatusCode.OK, self._details
        except grpc.aio.AbortError:
            code, details = self._code or grpc.StatusCode.UNKNOWN, self._details
        except Exception as error:  # the boundary: one failed stream never ends the server
            code, details = grpc.StatusCode.UNKNOWN, f"Unexpected {type(error)}: {error}"
            self._listener.log.exception("call failed", extra={"peer": self.identity.user})
        finally:
            self._finish(code, details)

    def _finish(self, code: grpc.StatusCode, details: str) -> None:
        headers = [] if self._answered else [(":status", "200"), ("content-type", "application/grpc")]
        headers += [("grpc-status", str(code.value[0])), ("grpc-message", quote(details, safe=PRINTABLE))]
        for name, value in self._trailing:
            coded = base64.b64encode(value).decode().rstrip("=") if isinstance(value, bytes) else value
            headers.append((name, coded))
        block = header_block(headers)
        last = frame(len(block), HEADERS, END_HEADERS | END_STREAM, self._number) + block
        self._close_with(last)

    def _half_closed(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _was_reset(self, stream: int, code: int) -> None:
        if stream == self._number and self.task is not None:
            self.task.cancel()

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)
