"""What answers the requests of connections."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol

from kybern.gateway.http.message import Request, Response

if TYPE_CHECKING:
    from kybern.gateway.http.connection import Connection


class Handler(Protocol):
    """What answers requests: `handle` gives a response, or None when it has written one itself.

    `again` (from a request's bytes) and `begin` may take a request over without a task: they return True then, and
    call `Connection.answer` or `answer_plainly` later. `begin` is given the request's bytes if they came alone.
    """

    def again(self, connection: Connection, data: bytes) -> bool: ...

    def begin(self, request: Request, received: bytes) -> bool: ...

    def handle(self, request: Request) -> Awaitable[Response | None]: ...

    def passes_on(self, target: bytes) -> bool: ...

    def refuse(self, request: Request, code: int) -> Response: ...

    def standard_headers(self, request: Request) -> bytes: ...

    def plain_head(self, flow: str, status: int) -> bytes: ...
