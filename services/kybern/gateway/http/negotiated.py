"""Which HTTP a client speaks, as TLS has agreed with it: the connection's protocol is chosen once, and takes over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kybern.gateway.http.client import Client
from kybern.gateway.http.front_proxy import FrontProxies
from kybern.gateway.http.handler import Handler
from kybern.gateway.http.http1.connection import Connection as Http1
from kybern.gateway.http.http2.connection import Connection as Http2


class Negotiated(asyncio.Protocol):
    """`max_streams`: at once on one connection of HTTP/2, 0: as many as upstream; `parts`: see there."""

    def __init__(
        self,
        handler: Handler,
        open_connections: set[Client],
        proxies: FrontProxies | None = None,
        max_streams: int = 0,
        parts: Callable[[], bool] | None = None,
    ) -> None:
        self._given = handler, open_connections, proxies
        self._max_streams, self._parts = max_streams, parts

    def connection_made(self, transport: Any) -> None:
        tls = transport.get_extra_info("ssl_object")
        is_http2 = tls is not None and tls.selected_alpn_protocol() == "h2"
        client: Client = Http2(*self._given, self._max_streams, self._parts) if is_http2 else Http1(*self._given)
        transport.set_protocol(client)
        client.connection_made(transport)
