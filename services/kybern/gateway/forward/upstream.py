"""The client's side of HTTP/1.1, one request after the other on a connection: bytes as they come, nothing decoded.

What goes wrong before an answer is an UpstreamError in the words that clients of Kubernetes know from Go's; what goes
wrong within one breaks the answer off.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

from kybern.gateway.core.forwarding import Header

CONNECT_SECONDS = 30.0
MAX_HEAD = 1 << 20  # bytes of status line and headers
CHUNK = 64 << 10
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class UpstreamError(Exception):
    """The other server could not be reached, or does not speak HTTP; the message says what a client is told."""


@dataclass(frozen=True)
class Destination:
    """Another server. `tls` None means plain HTTP."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str = ""  # to find in its certificate

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Head:
    """Status line and headers of an answer; names as they came."""

    status: int
    reason: bytes
    headers: list[Header]
    version: bytes = b"HTTP/1.1"

    @property
    def length(self) -> bytes:
        """The length of the body, b"" when it is told otherwise or not at all."""
        length = self.value(b"content-length")
        return length if length.isdigit() and not self.value(b"transfer-encoding") else b""

    @property
    def keeps_alive(self) -> bool:
        """Whether the server takes another request after this one."""
        return self.version == b"HTTP/1.1" and b"close" not in self.value(b"connection").lower()

    def value(self, name: bytes) -> bytes:
        """The first value of a header, b"" when it is absent."""
        return next((value for one, value in self.headers if one.lower() == name), b"")


class Upstream:
    """One connection to another server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.reusable = False  # the last answer was read to its end, and the server keeps the connection

    @classmethod
    async def open(cls, to: Destination) -> Self:
        """Raises UpstreamError."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return cls(
                    *await asyncio.open_connection(
                        to.host,
                        to.port,
                        limit=MAX_HEAD,
                        ssl=to.tls,
                        server_hostname=(to.server_name or to.host) if to.tls is not None else None,
                    )
                )
        except TimeoutError:
            raise UpstreamError(f"dial tcp {to.address}: i/o timeout") from None
        except ssl.SSLError as error:
            raise UpstreamError(tls_problem(error)) from None
        except OSError as error:
            raise UpstreamError(f"dial tcp {to.address}: connect: {reason(error)}") from None

    async def send(self, method: str, path: str, host: str, headers: list[Header], framing: Header | None) -> None:
        """Request line and headers. Raises UpstreamError."""
        self.reusable = False
        lines = [f"{method} {path} HTTP/1.1\r\nHost: {host}".encode("latin-1")]
        lines += (name + b": " + value for name, value in headers)
        if framing is not None:
            lines.append(framing[0] + b": " + framing[1])
        await self.write(b"\r\n".join((*lines, b"", b"")))

    async def send_body(self, body: AsyncIterator[bytes], *, chunked: bool) -> None:
        """A body as it comes. An error here is told by the answer, or by its absence."""
        try:
            async for piece in body:
                await self.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if chunked:
                await self.write(b"0\r\n\r\n")
        except UpstreamError:
            return

    async def write(self, data: bytes) -> None:
        """Raises UpstreamError."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError as error:
            raise UpstreamError(f"write: {reason(error)}") from None

    async def head(self) -> Head:
        """The head of the answer, after any interim one. Raises UpstreamError."""
        while True:
            try:
                raw = await self.reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                raise UpstreamError("unexpected EOF" if error.partial else "EOF") from None
            except asyncio.LimitOverrunError:
                raise UpstreamError("net/http: server response headers exceeded 1048576 bytes") from None
            except ssl.SSLError as error:
                raise UpstreamError(tls_problem(error)) from None
            except OSError as error:
                raise UpstreamError(f"read: {reason(error)}") from None
            head = parse_head(raw)
            if head.status >= 200 or head.status == 101:
                return head

    async def body(self, head: Head, method: str) -> AsyncIterator[bytes]:
        """The answer's body without its framing. Raises UpstreamError when it breaks off."""
        keeps = head.keeps_alive
        if method == "HEAD" or head.status in (204, 304):
            self.reusable = keeps
            return
        try:
            if b"chunked" in head.value(b"transfer-encoding").lower():
                async for piece in self._chunks():
                    yield piece
                self.reusable = keeps
                return
            left = int(head.length) if head.length else -1
            while left and (piece := await self.reader.read(CHUNK if left < 0 else min(CHUNK, left))):
                left -= len(piece) if left > 0 else 0
                yield piece
            if left > 0:
                raise UpstreamError("unexpected EOF")
            self.reusable = keeps and left == 0
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise UpstreamError(str(error)) from None

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := _chunk_size(await self.reader.readuntil(b"\n")):
            while size:
                piece = await self.reader.read(min(size, CHUNK))
                if not piece:
                    raise UpstreamError("unexpected EOF")
                size -= len(piece)
                yield piece
            await self.reader.readuntil(b"\n")
        while (await self.reader.readuntil(b"\n")).strip():
            pass  # trailers end here

    @property
    def is_open(self) -> bool:
        """Whether nothing speaks against another request."""
        return not self.reader.at_eof() and not self.writer.is_closing() and self.reader.exception() is None

    def close(self) -> None:
        """At once; nothing is waited for."""
        self.writer.transport.abort()


def _chunk_size(line: bytes) -> int:
    digits = line.split(b";")[0].strip()
    if not _CHUNK_SIZE.fullmatch(digits):
        raise UpstreamError("invalid byte in chunk length")
    return int(digits, 16)


def parse_head(raw: bytes) -> Head:
    """Raises UpstreamError for what is not HTTP/1."""
    first, *lines = raw[:-4].split(b"\r\n")
    version, _, rest = first.partition(b" ")
    code, _, phrase = rest.partition(b" ")
    if not version.startswith(b"HTTP/1.") or len(code) != 3 or not code.isdigit() or b"\n" in first or b"\r" in first:
        shown = first[:100].decode("latin-1").replace('"', '\\"')
        raise UpstreamError(f'net/http: HTTP/1.x transport connection broken: malformed HTTP response "{shown}"')
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name) or b"\n" in value or b"\r" in value:
            raise UpstreamError(f"malformed MIME header line: {line[:100].decode('latin-1')}")
        headers.append((name, value.strip()))
    return Head(int(code), phrase, headers, version)


def reason(error: OSError) -> str:
    """As Go says it: connection refused."""
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)


def tls_problem(error: ssl.SSLError) -> str:
    """Why a TLS connection did not come about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {error.verify_message}"
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
        return "http: server gave HTTP response to HTTPS client"
    return f"remote error: tls: {(error.reason or 'handshake failure').lower().replace('_', ' ')}"
