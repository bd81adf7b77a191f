"""Services over grpc.aio with mTLS both ways; certificates rotate while servers and channels stay in use.

A server asks its certificate source at each handshake. A channel looks at the source's version at each call: after a
rotation new calls use a new connection, old calls finish on theirs. Whoever owns the source polls it.
"""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import grpc

from kybern.pki.source import CertificateSource
from kybern.rpc.address import CannotListen, prepare, unix_path
from kybern.rpc.builtin import add_builtin_services
from kybern.rpc.grpc_channel import RotatingChannel
from kybern.rpc.guard import Guard
from kybern.rpc.identity import certificate_identity
from kybern.rpc.metrics import server_metrics
from kybern.rpc.transport import Policy
from kybern.telemetry import Telemetry

MAX_MESSAGE = 64 << 20  # bytes
SERVER_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.max_metadata_size", 1 << 20),
    ("grpc.absolute_max_metadata_size", 2 << 20),
    ("grpc.server.max_pending_requests", 100_000),  # beyond it, calls are refused at random
    ("grpc.server.max_pending_requests_hard_limit", 200_000),
    ("grpc.so_reuseport", 0),  # two servers on one port is a mistake, not load balancing
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 0),
)


class GrpcServer:
    """A grpc.aio server whose handlers are guarded; it binds when it starts."""

    def __init__(self, address: str, credentials: grpc.ServerCredentials, guard: Guard) -> None:
        self.address = address
        self.port = 0  # the one in use, after start; 1 for a unix socket
        self.health: Any = None  # grpc_health's servicer, after start
        self.draining = asyncio.Event()  # set when the server begins to stop
        self._credentials = credentials
        self._guard = guard
        self.metrics = guard.metrics
        self._server: Any = grpc.aio.server(options=SERVER_OPTIONS)
        self._names: list[str] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Register handlers that are found by name at each call."""
        self._server.add_generic_rpc_handlers(self._guard.generic(handlers))

    def add_registered_method_handlers(self, service_name: str, method_handlers: dict[str, Any]) -> None:
        """Register a service's methods, as generated code does."""
        if service_name not in self._names:
            self._names.append(service_name)
        guarded = {name: self._guard.handler(f"/{service_name}/{name}", h) for name, h in method_handlers.items()}
        self._server.add_registered_method_handlers(service_name, guarded)

    async def start(self) -> None:
        """Bind and serve; raises CannotListen."""
        self.health = await add_builtin_services(self, tuple(self._names))
        prepare(self.address)
        try:
            self.port = self._server.add_secure_port(self.address, self._credentials)
        except RuntimeError as error:
            raise CannotListen(f"cannot listen on {self.address}: {error}") from error
        await self._server.start()

    async def stop(self, grace: float | None) -> None:
        """Refuse new calls, let open ones end within `grace` seconds, remove the socket."""
        self.draining.set()
        if self.health is not None:
            await self.health.enter_graceful_shutdown()
        await self._server.stop(grace)
        path = unix_path(self.address)
        if path is not None and self.port:
            with suppress(FileNotFoundError):
                os.unlink(path)
        self.port = 0

    async def wait_for_termination(self) -> None:
        """Until the server has stopped."""
        await self._server.wait_for_termination()


class GrpcTransport:
    """Servers and channels for the identity in one certificate source."""

    def __init__(self, certificates: CertificateSource, telemetry: Telemetry) -> None:
        self.identity = certificate_identity(certificates.current().cert)
        self._certificates = certificates
        self._telemetry = telemetry
        self._metrics = server_metrics(telemetry.registry)
        self._servers: list[GrpcServer] = []
        self._channels: list[RotatingChannel] = []

    def server(self, address: str, policy: Policy) -> GrpcServer:
        """A server for `unix:/path` or `host:port` (port 0: any; see `port` once started)."""
        guard = Guard(policy, self._telemetry, self._metrics)
        server = GrpcServer(address, rotating_server_credentials(self._certificates), guard)
        self._servers.append(server)
        return server

    def channel(self, target: str, server_name: str) -> RotatingChannel:
        """A channel that verifies `server_name`, whatever the target."""
        channel = RotatingChannel(target, server_name, self._certificates)
        self._channels.append(channel)
        return channel

    async def close(self) -> None:
        """Close channels, then servers; open calls end."""
        await asyncio.gather(*(channel.close() for channel in self._channels))
        await asyncio.gather(*(server.stop(None) for server in self._servers))
        self._channels.clear()
        self._servers.clear()


def rotating_server_credentials(certificates: CertificateSource) -> grpc.ServerCredentials:
    """Credentials that require a client certificate and follow the source from handshake to handshake."""
    seen = certificates.version

    def configuration() -> Any:
        pair = certificates.current()
        return grpc.ssl_server_certificate_configuration([(pair.key, pair.cert)], pair.ca)

    def fetch() -> Any:
        nonlocal seen
        if certificates.version == seen:
            return None  # keep what is in use
        seen = certificates.version
        return configuration()

    return grpc.dynamic_ssl_server_credentials(configuration(), fetch, require_client_authentication=True)
