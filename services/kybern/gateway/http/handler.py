"""What answers the requests of connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kybern.gateway.http.message import Headers, Request, Response

if TYPE_CHECKING:
    from kybern.gateway.http.reply import Reply

Render = Callable[[int, Headers], bytes]  # a status and headers as a protocol writes them


class Said(NamedTuple):
    """The words of a request that came alone: equal words of one connection mean the same, all but the body.

    Of a GET, `line` is what is asked and `head` the rest; of a POST, `head` is all but the length of its body.
    """

    line: bytes
    head: Hashable


class Handler(Protocol):
    """What answers requests: `handle` gives a response, or None when it has written one itself.

    `get_again` and `create_again` (from what was said before) and `begin` may take a request over without a task: they
    return True then, and call `Reply.answer` or `answer_plainly` later.
    """

    def get_again(self, reply: Reply, line: bytes, head: Hashable) -> bool: ...

    def create_again(self, reply: Reply, head: Hashable, body: bytes) -> bool: ...

    def begin(self, request: Request, said: Said | None) -> bool: ...

    def handle(self, request: Request) -> Awaitable[Response | None]: ...

    def passes_on(self, target: bytes) -> bool: ...

    def refuse(self, request: Request, code: int) -> Response: ...

    def standard_headers(self, request: Request) -> Headers: ...

    def plain_head(self, flow: str, status: int, render: Render) -> bytes: ...

    def audit_id(self) -> bytes: ...
