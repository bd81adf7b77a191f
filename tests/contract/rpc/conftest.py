"""Certificates and transports for the rpc contract: the same tests run over TLS and in memory."""

import datetime as dt
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kybern.pki.source import FixedCertificateSource, KeyPair
from kybern.rpc.grpc_transport import GrpcTransport
from kybern.rpc.memory import MemoryNetwork, MemoryTransport
from kybern.rpc.transport import Identity, Policy, Transport
from kybern.telemetry import Telemetry


class Authority:
    """A small CA for tests."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kybern-ca")])
        now = dt.datetime.now(dt.UTC)
        self.cert = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self.cert.public_bytes(serialization.Encoding.PEM)

    def issue(
        self, user: str, groups: tuple[str, ...] = (), names: tuple[str, ...] = (), seconds: float = 3600
    ) -> KeyPair:
        """A pair for a user; `seconds` from now until it ends (negative: it has ended)."""
        key = ec.generate_private_key(ec.SECP256R1())
        end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        attributes += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        cert = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(attributes))
            .issuer_name(self.cert.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - dt.timedelta(hours=2))
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names or ("none",)]), False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False
            )
            .sign(self.key, hashes.SHA256())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return KeyPair(self.pem, cert.public_bytes(serialization.Encoding.PEM), pem, end)


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
        self.address = f"unix:{folder}/apiserver.sock"
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
        return self.server

    def channel(self, user: str = "alice", groups: tuple[str, ...] = ("dev",)) -> Any:
        """A channel to the server for a user."""
        return self.transport(user, groups).channel(self.address, "apiserver.kybern")

    async def close(self) -> None:
        for transport in reversed(self._transports):
            await transport.close()


@pytest.fixture(params=["tls", "memory"])
async def wires(request: pytest.FixtureRequest, authority: Authority, tmp_path: Path) -> AsyncIterator[Wires]:
    wires = Wires(request.param, authority, tmp_path)
    yield wires
    await wires.close()
