"""The server's side of a SPDY/3.1 connection: the upgrade, and its bytes as messages like a WebSocket's."""

from __future__ import annotations

from collections.abc import Sequence

from kybern.gateway.core import spdy_streams
from kybern.gateway.http.message import Request, Response
from kybern.gateway.http.tunnel import Tunnel
from kybern.gateway.http.websocket import WebSocketClosed
from kybern.kube.status import bad_request


def is_spdy(request: Request) -> bool:
    """Whether a request asks for SPDY."""
    headers = request.headers
    asks = b"upgrade" in headers.get(b"connection", b"").lower()
    return asks and headers.get(b"upgrade", b"").lower() == spdy_streams.SPDY


def negotiate(request: Request, supported: Sequence[str]) -> str | Response:
    """The protocol inside SPDY, or the refusal that upstream gives. Raises StatusError (400) if none is named."""
    client = spdy_streams.offered(request.all_headers(spdy_streams.HEADER))
    if not client:
        raise bad_request("unable to upgrade: X-Stream-Protocol-Version is required")
    found = spdy_streams.choose(client, supported)
    if found is not None:
        return found
    text = (
        f"unable to upgrade: unable to negotiate protocol: client supports {client}, server accepts {list(supported)}"
    )
    accepted = tuple((spdy_streams.ACCEPTED, name.encode()) for name in supported)
    return Response(text.encode(), 403, b"text/plain; charset=utf-8", accepted)


class SpdySocket:
    """`next`, `send` and `close` as a WebSocket has them; a message is whatever came."""

    def __init__(self, request: Request, protocol: str) -> None:
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
            f"X-Stream-Protocol-Version: {protocol}\r\n\r\n"
        )
        self._tunnel: Tunnel = request.reply.tunnel(head.encode())

    async def next(self) -> bytes:
        """Raises WebSocketClosed once the client is gone."""
        data = await self._tunnel.read()
        if not data:
            raise WebSocketClosed
        return data

    async def send(self, data: bytes) -> None:
        """Raises WebSocketClosed."""
        try:
            await self._tunnel.write(data)
        except ConnectionResetError:
            raise WebSocketClosed from None

    def close(self) -> None:
        self._tunnel.close()
