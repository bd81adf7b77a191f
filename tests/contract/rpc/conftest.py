"""Certificates and transports for the rpc contract: the same tests run over TLS (Unix sockets, TCP) and in memory."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from kybern.pki.authority import Identity as Named
from kybern.pki.authority import create_ca, issue
from kybern.pki.source import FixedCertificateSource, KeyPair
from kybern.rpc.grpc_transport import GrpcTransport
from kybern.rpc.memory import MemoryNetwork, MemoryTransport
from kybern.rpc.transport import Identity, Policy, Transport
from kybern.telemetry import Telemetry


class Authority:
    """A CA for tests."""

    def __init__(self) -> None:
        with TemporaryDirectory() as folder:
            self._ca = create_ca(Path(folder), datetime.now(UTC))
        self.pem = self._ca.pem

    def issue(
        self, user: str, groups: tuple[str, ...] = (), names: tuple[str, ...] = (), seconds: float = 3600
    ) -> KeyPair:
        """A pair for a user; `seconds` from now until it ends (negative: it has ended)."""
        begin = datetime.now(UTC) - timedelta(hours=1)
        return issue(self._ca, Named(user, groups, names), timedelta(hours=1, seconds=seconds), begin)


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def new_authority() -> Callable[[], Authority]:
    return Authority


class Wires:
    """One server and any number of clients over one kind of transport."""

    def __init__(self, kind: str, authority: Authority, folder: Path) -> None:
        self.kind = kind
        self.telemetry = Telemetry("server")
        self.address = f"unix:{folder}/apiserver.sock" if kind != "tcp" else "127.0.0.1:0"
        self._authority = authority
        self._network = MemoryNetwork(Random(1))
        self._transports: list[Transport] = []
        self.server: Any = None

    def transport(self, user: str, groups: tuple[str, ...] = (), telemetry: Telemetry | None = None) -> Transport:
        """A transport for an identity."""
        telemetry = telemetry or Telemetry("client")
        made: Transport
        if self.kind == "memory":
            made = MemoryTransport(self._network, Identity(user, groups), telemetry)
        else:
            pair = self._authority.issue(user, groups, ("apiserver.kybern",))
            made = GrpcTransport(FixedCertificateSource(pair), telemetry)
        self._transports.append(made)
        return made

    async def serve(self, add: Callable[[Any], None], policy: Policy) -> Any:
        """Start a server with what `add` registers."""
        self.server = self.transport("system:kybern:apiserver", (), self.telemetry).server(self.address, policy)
        add(self.server)
        await self.server.start()
        if self.kind == "tcp":  # where there are no streams apart from grpc.aio's
            self.address = f"127.0.0.1:{self.server.port}"
        return self.server

    def channel(self, user: str = "alice", groups: tuple[str, ...] = ("dev",)) -> Any:
        """A channel to the server for a user."""
        return self.transport(user, groups).channel(self.address, "apiserver.kybern")

    async def close(self) -> None:
        for transport in reversed(self._transports):
            await transport.close()


@pytest.fixture(params=["tls", "memory"])
def wires_kind(request: pytest.FixtureRequest) -> str:
    """What carries the calls; a module may have another choice."""
    kind: str = request.param
    return kind


@pytest.fixture
async def wires(wires_kind: str, authority: Authority, tmp_path: Path) -> AsyncIterator[Wires]:
    wires = Wires(wires_kind, authority, tmp_path)
    yield wires
    await wires.close()
