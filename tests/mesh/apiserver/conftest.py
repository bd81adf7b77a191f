"""A real apiserver over the in-memory transport, on a SQLite store in memory, all in one event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kybern.apiserver.core.user import User
from kybern.apiserver.server import ApiServer, Settings
from kybern.apiserver.service import serve
from kybern.client.objects import Client
from kybern.clock import SystemClock
from kybern.pki.token_keys import TokenKeys
from kybern.rpc.memory import MemoryNetwork, MemoryTransport
from kybern.rpc.transport import Identity
from kybern.runtime.service import Env
from kybern.store.contract import Store
from kybern.store.sqlite import SqliteStore
from kybern.telemetry import Telemetry

ADMIN = Identity("admin", ("system:masters",))
ADDRESS = "apiserver:1"
KEYS = TokenKeys(ec.generate_private_key(ec.SECP256R1()))


@dataclass
class Cluster:
    """A running apiserver and how to reach it."""

    network: MemoryNetwork
    telemetry: Telemetry
    server: ApiServer

    def channel(self, user: str, *groups: str):
        transport = MemoryTransport(self.network, Identity(user, groups), Telemetry("test"))
        return transport.channel(ADDRESS, "apiserver.kybern")

    def client(self, user: str = "admin", *groups: str) -> Client:
        """A client of its own; admin without arguments."""
        return Client(self.channel(user, *(groups or (("system:masters",) if user == "admin" else ()))))


@asynccontextmanager
async def run_apiserver(
    path: str | Path = ":memory:", store: Store | None = None, telemetry: Telemetry | None = None, **settings: Any
) -> AsyncIterator[Cluster]:
    """An apiserver for the length of the block."""
    network = MemoryNetwork(Random(1))
    telemetry = telemetry or Telemetry("apiserver")
    ready = asyncio.Event()
    transport = MemoryTransport(network, Identity("system:kybern:apiserver"), telemetry)
    env = Env(SystemClock(), Random(7), transport, telemetry, ready.set)
    made: list[ApiServer] = []
    store = store or await SqliteStore.open(path, threaded=False)
    given = {
        "keys": KEYS,
        "advertise": "192.0.2.2:6443",
        "tokens": {"secret": User("alice", ("devs",), "1")},
    } | settings
    task = asyncio.create_task(serve(ADDRESS, env, store, Settings(**given), made=made.append))
    waiter = asyncio.create_task(ready.wait())
    await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    try:
        yield Cluster(network, telemetry, made[0])
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await transport.close()
        await store.close()


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with run_apiserver() as cluster:
        yield cluster


@pytest.fixture
async def admin(cluster: Cluster) -> AsyncIterator[Client]:
    async with cluster.client() as client:
        yield client


@pytest.fixture
def running() -> Any:
    """`running(path, **settings)` is an apiserver for the length of an `async with` block."""
    return run_apiserver
