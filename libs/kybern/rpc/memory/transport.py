"""The in-memory Transport."""

import asyncio

from kybern.rpc.guard import Guard
from kybern.rpc.memory.channel import MemoryChannel
from kybern.rpc.memory.network import MemoryNetwork
from kybern.rpc.memory.server import MemoryServer
from kybern.rpc.metrics import server_metrics
from kybern.rpc.transport import Identity, Policy
from kybern.telemetry import Telemetry


class MemoryTransport:
    """Servers and channels for one identity, which a network takes at its word."""

    def __init__(self, network: MemoryNetwork, identity: Identity, telemetry: Telemetry) -> None:
        self.identity = identity
        self._network = network
        self._telemetry = telemetry
        self._metrics = server_metrics(telemetry.registry)
        self._servers: list[MemoryServer] = []
        self._channels: list[MemoryChannel] = []

    def server(self, address: str, policy: Policy) -> MemoryServer:
        """A server for an address of the network (port 0: the next free one, see `port` once started)."""
        server = MemoryServer(self._network, address, Guard(policy, self._telemetry, self._metrics))
        self._servers.append(server)
        return server

    def channel(self, target: str, server_name: str) -> MemoryChannel:
        """A channel; names are not verified, there are no certificates."""
        channel = MemoryChannel(self._network, self.identity, target, server_name)
        self._channels.append(channel)
        return channel

    async def close(self) -> None:
        """Close channels, then servers; open calls end."""
        await asyncio.gather(*(channel.close() for channel in self._channels))
        await asyncio.gather(*(server.stop(None) for server in self._servers))
        self._channels.clear()
        self._servers.clear()
