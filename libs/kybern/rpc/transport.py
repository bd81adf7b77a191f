"""The seam for wires: one interface, carried by grpc.aio (`grpc_transport`) or by memory (`memory`).

Generated stubs take the channel and generated `add_…Servicer_to_server` functions take the server, whichever the
transport is. Addresses and targets are gRPC's: `unix:/path`, `host:port`. A server's certificate names it
`<service>.kybern` (a node agent's: `<node>.node.kybern`), whatever address it listens on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

ANYONE = "system:authenticated"  # every identity that the cluster's CA has signed


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: a certificate's common name and organizations, in Kubernetes' terms user and groups."""

    user: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """Which users and groups may call which methods.

    `rules` maps a method (`/kybern.api.v1.Objects/Get`) or a service (`/kybern.api.v1.Objects/`) to users and
    groups; the longest match decides; what no rule names is refused. Health and reflection are open to every
    identity of the cluster's CA, and the group system:masters may call everything.
    """

    rules: dict[str, frozenset[str]] = field(default_factory=dict)


class Server(Protocol):
    """What `add_…Servicer_to_server` and the runtime need of a server."""

    async def start(self) -> None: ...

    async def stop(self, grace: float | None) -> None: ...

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None: ...

    def add_registered_method_handlers(self, service_name: str, method_handlers: dict[str, Any]) -> None: ...


class Transport(Protocol):
    """Makes servers and channels that speak for one identity."""

    identity: Identity

    def server(self, address: str, policy: Policy) -> Server:
        """A server (not yet started) with health and reflection, that refuses what `policy` does not allow."""
        ...

    def channel(self, target: str, server_name: str) -> Any:
        """A grpc.aio-like channel to the server whose certificate carries `server_name`; reconnects by itself and
        follows the rotation of certificates."""
        ...

    async def close(self) -> None:
        """Close every channel and server that is still open."""
        ...
