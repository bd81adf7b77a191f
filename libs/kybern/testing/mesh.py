"""Services in one event loop: each with its own identity over the in-memory transport, started by its own flags.

    async with mesh() as net:
        await net.start(apiserver.SERVICE, "--store", "sqlite::memory:")
        await net.start(scheduler.SERVICE)
        async with net.client() as admin: ...

Real time or virtual, as the loop is. A service that fails makes the block fail.
"""

import asyncio
from argparse import ArgumentParser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from kybern.client.objects import Client
from kybern.clock import Clock, SystemClock
from kybern.pki import authority
from kybern.pki.authority import create_ca, issue
from kybern.pki.files import write_bundle
from kybern.rpc.memory import MemoryNetwork, MemoryTransport
from kybern.rpc.transport import Identity
from kybern.runtime.service import Env, Service, add_shared_flags
from kybern.telemetry import Telemetry
from kybern.telemetry.spans import SpanBuffer, make_provider

PATIENCE = 30.0  # seconds until a service must be ready


class Running:
    """A started service: what it recorded, and a way to stop it."""

    def __init__(self, task: asyncio.Task[None], env: Env, spans: SpanBuffer, address: str) -> None:
        self.task, self.env, self.spans, self.address = task, env, spans, address

    async def stop(self) -> None:
        """End the service as a signal does."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.env.transport.close()

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of one Prometheus sample."""
        return self.env.telemetry.registry.get_sample_value(name, labels)


class Mesh:
    """The network and the services on it."""

    def __init__(self, tasks: asyncio.TaskGroup, pki: Path, seed: int = 1, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.network = MemoryNetwork(Random(seed))
        self._tasks, self._seed, self._pki = tasks, seed, pki
        self._ca = create_ca(pki, self.clock.now())
        self._running: list[Running] = []

    async def start(self, service: Service, *flags: str, address: str = "") -> Running:
        """Run a service until the block ends; returns when it is ready."""
        address = address or f"{service.name}:1"
        parser = ArgumentParser()
        add_shared_flags(parser)
        service.add_flags(parser)
        pair = issue(self._ca, authority.Identity(service.user, service.groups), timedelta(days=1), self.clock.now())
        write_bundle(self._pki / service.name, pair)
        shared = ["--address", address, "--pki", str(self._pki / service.name), "--apiserver", "apiserver:1"]
        options = parser.parse_args([*shared, *flags])
        clock, random, spans = self.clock, Random(f"{self._seed} {address}"), SpanBuffer()
        telemetry = Telemetry(service.name, clock, make_provider(service.name, random, spans))
        transport = MemoryTransport(self.network, Identity(service.user, service.groups), telemetry)
        ready = asyncio.Event()
        env = Env(clock, random, transport, telemetry, ready.set)
        task = self._tasks.create_task(_until_cancelled(service, options, env))
        running = Running(task, env, spans, address)
        self._running.append(running)
        async with asyncio.timeout(PATIENCE):
            await ready.wait()
        return running

    def channel(self, target: str, user: str = "admin", *groups: str) -> Any:
        """A channel for a user; `admin` is in system:masters."""
        groups = groups or (("system:masters",) if user == "admin" else ())
        return MemoryTransport(self.network, Identity(user, groups), Telemetry("test")).channel(target, "test")

    def client(self, user: str = "admin", *groups: str) -> Client:
        """A client of the apiserver."""
        return Client(self.channel("apiserver:1", user, *groups))

    async def stop(self) -> None:
        """Stop every service, the newest first."""
        for running in reversed(self._running):
            await running.stop()


async def _until_cancelled(service: Service, options: Any, env: Env) -> None:
    await service.run(options, env)


@asynccontextmanager
async def mesh(seed: int = 1, clock: Clock | None = None) -> AsyncIterator[Mesh]:
    """An empty mesh for the length of the block; under virtual time it is given the virtual clock."""
    async with asyncio.TaskGroup() as tasks:
        with TemporaryDirectory(prefix="kybern-mesh-") as folder:
            net = Mesh(tasks, Path(folder), seed, clock)
            try:
                yield net
            finally:
                await net.stop()
