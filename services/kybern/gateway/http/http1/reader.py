"""From bytes to requests: httptools parses, and each request goes to its connection when it is whole.

A body larger than MAX_BODY is refused with 413 before it is read, unless the handler passes it on: then it may be of
any size, and its request is begun early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httptools

from kybern.gateway.http.body import IncomingBody
from kybern.gateway.http.message import BAD_ESCAPE, MAX_BODY, MAX_HEADERS, Request

if TYPE_CHECKING:
    from kybern.gateway.http.http1.connection import Connection

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestReader:
    """What httptools calls while it parses a connection's bytes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._parser: Any = httptools.HttpRequestParser(self)
        self.between = True  # no part of a request has been read
        self.in_body = False
        self.body_size = 0
        self.incoming: IncomingBody | None = None  # the body of a request that was begun early
        self._received = b""

    def feed(self, data: bytes) -> None:
        """Raises httptools' HttpParserUpgrade and HttpParserError."""
        if self.between:
            self._received = data
        self._parser.feed_data(data)

    @property
    def speaks_chunked(self) -> bool:
        return bool(self._parser.get_http_version() != "1.0")

    @property
    def leaves_http(self) -> bool:
        return bool(self._parser.should_upgrade())

    def on_message_begin(self) -> None:
        self.between = False
        self.in_body = False
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._repeated: dict[bytes, list[bytes]] = {}
        self._body: list[bytes] = []
        self.body_size = 0
        self._header_size = 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_size += len(name) + len(value)
        if self._header_size > MAX_HEADERS:
            self._connection.refuse(self._request(), 431)
            return
        name, value = name.lower(), value.rstrip(b" \t")
        if name in self._headers:
            self._repeated.setdefault(name, [self._headers[name]]).append(value)
        else:
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        if not self._headers:
            return
        if b"%" in self._target and BAD_ESCAPE.match(self._target):
            raise httptools.HttpParserError("a path with a malformed escape")
        if b"host" in self._repeated:
            raise httptools.HttpParserError("several hosts")
        self.in_body = True
        length = self._headers.get(b"content-length", b"")
        has_body = length not in (b"", b"0") or b"transfer-encoding" in self._headers
        if has_body and self._connection.handler.passes_on(self._target):
            self._begin_early()
        elif length.isdigit() and int(length) > MAX_BODY:
            self._connection.refuse(self._request(), 413)
        else:
            self._invite()

    def _begin_early(self) -> None:
        """Hand over a request whose body is still to come."""
        self._invite()
        request = self._request()
        request.incoming = self.incoming = IncomingBody(self._connection)
        self._connection.take(request)

    def _invite(self) -> None:
        """Ask for the body, if the client waits for that."""
        if self._headers.get(b"expect", b"").lower() == b"100-continue":
            self._connection.transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        self.body_size += len(body)
        if self.incoming is not None:
            self.incoming.feed(body)
        elif self.body_size > MAX_BODY:
            self._connection.refuse(self._request(), 413)
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        self.between = True
        received, self._received = self._received, b""
        if self.incoming is not None:
            self.incoming.end()
            self.incoming = None
        else:
            self._connection.take(self._request(), received)

    def _request(self) -> Request:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        method = self._parser.get_method().decode("latin-1")
        request = Request(self._connection.reply, method, self._target, self._headers, self._repeated, body)
        request.keep_alive = self._parser.should_keep_alive()
        return request
