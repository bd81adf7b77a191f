"""One client's connection, whatever it speaks: who is at the other end, and what is remembered of it.

What a connection said stands for the same user as long as it lives, so handlers keep here what they made of it.
"""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from typing import Any

from kybern.gateway.core.patience import Silent, State
from kybern.gateway.http.closed import CLOSED
from kybern.gateway.http.front_proxy import FrontProxies
from kybern.gateway.http.handler import Handler
from kybern.gateway.http.peer import NOBODY, peer_of


class Client(asyncio.Protocol, ABC):
    """The protocol of one accepted connection, as far as all have it in common."""

    def __init__(self, handler: Handler, open_connections: set[Client], proxies: FrontProxies | None = None) -> None:
        self.handler = handler
        self.transport: Any = CLOSED
        self.front_proxy: FrontProxies | None = None  # if this client may name users in headers
        self.identity = NOBODY
        self.credential_id = ""  # of the client certificate
        self.certificate_ends = 0.0  # in seconds since 1970
        self.stranger = False  # shows a certificate that names nobody
        self.peer_address = ""
        self.memory: dict[Any, Any] = {}  # what handlers keep for the life of the connection
        self.heads: dict[Hashable, Any] = {}  # and what they keep by the words of a request's head
        self.loop = asyncio.get_running_loop()
        self.answered = 0  # requests
        self.closing = False
        self._open = open_connections
        self._proxies = proxies

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._open.add(self)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        peer = peer_of(transport, self._proxies)
        self.peer_address, self.identity, self.credential_id, self.front_proxy, self.stranger, _ = peer
        self.certificate_ends = peer.ends

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self)
        self.closing = True
        self.transport = CLOSED

    def eof_received(self) -> bool:
        return False

    def close(self) -> None:
        """Close after what was written is sent."""
        self.closing = True
        self.transport.close()

    @property
    def reused(self) -> bool:
        """Whether this is not its first request."""
        return self.answered > 0

    def silent(self) -> Iterable[Silent]:
        """What may have to be given up because the client does not go on."""
        return (self,)

    @property
    @abstractmethod
    def position(self) -> tuple[State, int]:
        """What the client is waited for, and a number that changes when it does what it is waited for."""

    @abstractmethod
    def give_up(self) -> None:
        """The client has been silent for too long."""

    @abstractmethod
    def stop(self) -> None:
        """The server goes away: end what is endless, let the rest be answered, take nothing new."""
