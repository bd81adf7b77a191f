"""HTTP requests and responses as the handlers see them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

from kybern.gateway.core.header_text import as_text

if TYPE_CHECKING:
    from kybern.gateway.http.body import IncomingBody
    from kybern.gateway.http.client import Client
    from kybern.gateway.http.reply import Reply, ResponseStream

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
NOSNIFF = ((b"X-Content-Type-Options", b"nosniff"),)
MAX_BODY = 3 << 20  # bytes of a body that is read before its request is begun, as upstream
MAX_HEADERS = 1 << 20  # bytes of one request's header names and values
BAD_ESCAPE = re.compile(rb"^[^?]*%(?![0-9A-Fa-f]{2})")  # in a path
REASONS = {status.value: status.phrase for status in HTTPStatus}

Query = dict[str, list[str]]
Headers = Sequence[tuple[bytes, bytes]]


class Request:
    """One request with its whole body. Header names are lower case; of one that came several times `headers` has the
    first value, `repeated` all of them."""

    stream: ResponseStream | None = None  # the answer, if its length was not known when it began

    def __init__(
        self,
        reply: Reply,
        method: str,
        target: bytes,
        headers: dict[bytes, bytes],
        repeated: dict[bytes, list[bytes]],
        body: bytes,
    ) -> None:
        self.reply = reply
        self.method = method
        self.target = target
        self.headers = headers
        self.repeated = repeated
        self.body = body
        self.started = 0.0
        self.keep_alive = True
        self.warning = ""  # sent with whatever answers the request
        self.audit_id = ""
        self.flow = ""  # the UIDs of its FlowSchema and its priority level
        self.incoming: IncomingBody | None = None  # a body that is read while it comes, instead of `body`
        self.answered = 0  # the status that a handler without a Response has sent
        raw_path, _, raw_query = target.partition(b"?")
        self.raw_query = raw_query
        path = raw_path.decode("latin-1")
        self.path = unquote(path) if "%" in path else path

    @property
    def client(self) -> Client:
        """Whose request it is."""
        return self.reply.client

    @cached_property
    def query(self) -> Query:
        """Query parameters, each with all its values."""
        if not self.raw_query:
            return {}
        text = self.raw_query.decode("latin-1")
        if ";" in text:  # no separator any more: Go passes over such a pair
            text = "&".join(pair for pair in text.split("&") if ";" not in pair)
        return parse_qs(text, keep_blank_values=True)

    def note(self, flow: str) -> None:
        """Remember which flow the apiserver has put the request in."""
        self.flow = flow

    def header(self, name: bytes) -> str:
        """A header's value, the first if there are several, "" when it is absent."""
        value = self.headers.get(name)
        return as_text(value) if value else ""

    def all_headers(self, name: bytes) -> list[str]:
        """Every value of a header that may repeat."""
        if name in self.repeated:
            return [as_text(value) for value in self.repeated[name]]
        return [self.header(name)] if name in self.headers else []

    def parameter(self, name: str) -> str:
        """The first value of a query parameter, "" when it is absent."""
        values = self.query.get(name) if self.raw_query else None
        return values[0] if values else ""


class Response:
    """A response whose body is at hand. `headers` are beyond the standard ones."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(self, body: bytes = b"", status: int = 200, content_type: bytes = JSON, headers: Headers = ()) -> None:
        self.body = body
        self.status = status
        self.content_type = content_type
        self.headers = headers
