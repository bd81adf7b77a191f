"""Listens at the health check node ports of this node's Services, each for as long as a Service has it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from kybern.proxy.core.health_check import HealthCheck, answer
from kybern.telemetry import Telemetry

PATIENCE = 5.0  # seconds for a load balancer to send its request
RETRY = 5.0  # seconds after a port could not be taken


class HealthChecks:
    """`compute` says what is to be answered for a Service by key: nothing for most of them."""

    def __init__(
        self, compute: Callable[[str], HealthCheck | None], telemetry: Telemetry, address: str = "0.0.0.0"
    ) -> None:
        self._compute, self._log, self._address = compute, telemetry.log, address
        self._checks: dict[str, HealthCheck] = {}
        self._servers: dict[str, asyncio.Server] = {}
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()

    def mark(self, service: str) -> None:
        """A Service or one of its slices has changed."""
        self._dirty.add(service)
        self._wake.set()

    async def run(self) -> None:
        """Follow changes until cancelled; then the ports are free again."""
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(RETRY if self._dirty else None):
                        await self._wake.wait()
                self._wake.clear()
                dirty, self._dirty = self._dirty, set()
                for key in dirty:
                    await self._follow(key)
        finally:
            for server in self._servers.values():
                server.close()

    async def _follow(self, key: str) -> None:
        check, before = self._compute(key), self._checks.pop(key, None)
        if before is not None and (check is None or check.port != before.port) and key in self._servers:
            self._servers.pop(key).close()
        if check is None:
            return
        self._checks[key] = check
        if key in self._servers:
            return
        try:
            self._servers[key] = await asyncio.start_server(self._answering(key), self._address, check.port)
        except OSError as error:
            self._log.error("health check node port", extra={"service": key, "error": str(error)})
            self._dirty.add(key)

    def _answering(self, key: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(PATIENCE):
                    await reader.readuntil(b"\r\n\r\n")
                    if check := self._checks.get(key):
                        writer.write(answer(check))
                        await writer.drain()
            writer.close()

        return handle
