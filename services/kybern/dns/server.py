"""DNS over UDP and TCP. Answers about the zone leave in the callback that brought the question."""

import asyncio
from typing import Any

from kybern.dns.core.message import Query
from kybern.dns.resolver import Resolver

UNDER_WAY = 2000  # questions waiting for upstreams; more are dropped, and clients ask again
CONNECTIONS = 200
IDLE = 10.0  # seconds a TCP connection may be silent
RECEIVE_BUFFER = 4 * 1024 * 1024


class UdpServer(asyncio.DatagramProtocol):
    """One UDP socket."""

    def __init__(self, resolver: Resolver, tasks: asyncio.TaskGroup) -> None:
        self._resolver, self._tasks = resolver, tasks
        self._under_way = 0
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        try:
            found = self._resolver.local(data)
        except Exception:
            found = self._resolver.broken(data)
        if isinstance(found, Query):
            if self._under_way < UNDER_WAY:
                self._under_way += 1
                self._tasks.create_task(self._remote(data, addr))
        elif found is not None:
            self._transport.sendto(found, addr)

    async def _remote(self, data: bytes, addr: Any) -> None:
        try:
            found = await self._resolver.resolve(data)
            if found is not None and not self._transport.is_closing():
                self._transport.sendto(found, addr)
        finally:
            self._under_way -= 1


class TcpServer:
    """One TCP socket; queries of a connection are answered in order."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= CONNECTIONS:
            writer.close()
            return
        self._connections += 1
        try:
            while True:
                async with asyncio.timeout(IDLE):
                    length = int.from_bytes(await reader.readexactly(2), "big")
                    data = await reader.readexactly(length)
                found = await self._resolver.resolve(data, tcp=True)
                if found is None:
                    return
                writer.write(len(found).to_bytes(2, "big") + found)
                async with asyncio.timeout(IDLE):
                    await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            return
        finally:
            self._connections -= 1
            writer.close()


ANY_PORT_TRIES = 10  # a port that is free for UDP may be taken for TCP


class Listener:
    """UDP and TCP on one address."""

    def __init__(self, resolver: Resolver, tasks: asyncio.TaskGroup) -> None:
        self._resolver, self._tasks = resolver, tasks
        self._udp: Any = None
        self._tcp: asyncio.Server | None = None
        self.address = ("", 0)

    async def start(self, host: str, port: int) -> None:
        """Bind; port 0 is any that is free for both. Raises OSError."""
        for _ in range(ANY_PORT_TRIES if port == 0 else 1):
            try:
                return await self._bind(host, port)
            except OSError as error:
                failure = error
        raise failure

    async def _bind(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: UdpServer(self._resolver, self._tasks), local_addr=(host, port)
        )
        self.address = self._udp.get_extra_info("sockname")[:2]
        try:
            self._tcp = await asyncio.start_server(TcpServer(self._resolver).serve, *self.address)
        except OSError:
            self._udp.close()
            raise

    async def close(self) -> None:
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
