"""What a service is, and what it is given.

Every service package has a `service.py` with one `SERVICE`. `run` works until it is cancelled, and drains then. It
takes time, randomness, wires and telemetry from `Env` alone, so that the same code runs in a process of its own, as
a fork of the zygote, and in one event loop under virtual time.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from kybern.clock import Clock
from kybern.rpc.transport import Transport
from kybern.telemetry import Telemetry


@dataclass
class Env:
    """Everything outside a service's own memory that it may use."""

    clock: Clock
    random: Random
    transport: Transport
    telemetry: Telemetry
    ready: Callable[[], None] = field(default=lambda: None)  # called once, when the service does its job


@dataclass(frozen=True)
class Service:
    """One box of the mesh."""

    name: str  # folder below services/kybern, and `<name>.kybern` in its certificate
    user: str  # common name of its certificate
    groups: tuple[str, ...] = ()
    help: str = ""
    add_flags: Callable[[ArgumentParser], None] = field(default=lambda parser: None)  # beyond the shared ones
    run: Callable[[Namespace, Env], Awaitable[None]] = field(kw_only=True)


def add_shared_flags(parser: ArgumentParser) -> None:
    """The flags that every service has."""
    parser.add_argument("--address", required=True, help="where its gRPC server listens: unix:/path or host:port")
    parser.add_argument("--pki", required=True, metavar="DIR", help="folder with tls.pem: key, certificate and CA")
    parser.add_argument("--apiserver", default="", metavar="TARGET", help="gRPC target of the apiserver")
    parser.add_argument("--traces", default="", metavar="TARGET", help="gRPC target of the trace service; none: off")
    parser.add_argument("--metrics-address", default="", help="host:port for Prometheus metrics; none: off")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
