"""How the answer to one request goes back to its client: what handlers call, whatever the connection speaks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from kybern.gateway.http.message import Headers, Request, Response
from kybern.kube.status import bad_request

if TYPE_CHECKING:
    from kybern.gateway.http.client import Client
    from kybern.gateway.http.tunnel import Tunnel
    from kybern.gateway.http.websocket import WebSocket

UNCACHED = (b"Cache-Control", b"no-cache, private")
NO_UPGRADE = "unable to upgrade: only connections of HTTP/1.1 can be"


class Head(NamedTuple):
    """What is said before a body; how the body is framed is the protocol's own."""

    status: int
    headers: Headers
    reason: bytes = b""  # if another server has given one
    length: bytes = b""  # of the body, if it is known
    empty: bool = False  # there is no body, whatever the length says


class ResponseStream(ABC):
    """An answer that is sent as it comes. Writes follow the client's pace and raise ConnectionResetError when it is
    gone. `end` completes the answer; without it the client sees a broken one."""

    __slots__ = ("sent",)
    sent: int  # bytes of data

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Some more, sent at once."""

    @abstractmethod
    async def write_framed(self, framed: bytes) -> None:
        """Data that is a chunk of HTTP/1.1 already."""

    @abstractmethod
    def send_now(self, data: bytes, framed: bytes) -> bool:
        """Send data, which `framed` is as a chunk; False if the client has not taken what was sent before."""

    @abstractmethod
    def end(self) -> None: ...

    @abstractmethod
    def abort(self) -> None:
        """Break the answer off, so that the client cannot take what it has for the whole."""


class Reply(ABC):
    """See the module's docstring."""

    __slots__ = ()
    client: Client

    @abstractmethod
    def answer(self, request: Request, response: Response) -> None:
        """Complete a request that `begin` has taken."""

    @abstractmethod
    def answer_plainly(self, body: bytes, keep_alive: bool, flow: str, status: int = 200) -> None:
        """Complete a request that was taken over: a JSON object and nothing special."""

    @abstractmethod
    def answer_later(self, request: Request, make: Callable[[], Awaitable[Response | None]]) -> None:
        """Complete a request that was taken over, once its response is made."""

    @abstractmethod
    def begin(self, request: Request, head: Head, *, endless: bool = False) -> ResponseStream:
        """Begin an answer whose body comes later. An endless one is whole at any point: it may end with the server."""

    def stream(
        self, request: Request, status: int, content_type: bytes, headers: Headers = (), *, endless: bool = False
    ) -> ResponseStream:
        """Begin an answer of unknown length."""
        found = all_headers(request, content_type, headers)
        request.stream = self.begin(request, Head(status, found), endless=endless)
        return request.stream

    def upgrade(self, request: Request, protocol: str) -> WebSocket:
        """Accept a WebSocket handshake; from now on the connection is a WebSocket. Raises StatusError."""
        raise bad_request(NO_UPGRADE)

    def tunnel(self, head: bytes) -> Tunnel:
        """Accept any other upgrade with this head; from now on the connection carries bytes. Raises StatusError."""
        raise bad_request(NO_UPGRADE)


def all_headers(request: Request, content_type: bytes, headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, with those that every answer has."""
    found = [*request.client.handler.standard_headers(request)]
    if not any(name == b"Cache-Control" for name, _ in headers):
        found.append(UNCACHED)
    if content_type:
        found.append((b"Content-Type", content_type))
    found += headers
    return found
