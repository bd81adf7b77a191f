"""A gateway with its real HTTPS port, in front of a real apiserver over the in-memory transport, in one event loop."""

import asyncio
import ssl
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kybern.apiserver.core.user import User
from kybern.apiserver.server import Settings
from kybern.apiserver.service import serve
from kybern.clock import SystemClock
from kybern.gateway.service import SERVICE
from kybern.pki.authority import Authority, Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.pki.token_keys import TokenKeys
from kybern.rpc.memory import MemoryNetwork, MemoryTransport
from kybern.rpc.transport import Identity as Caller
from kybern.runtime.service import Env
from kybern.store.contract import Store
from kybern.store.sqlite import SqliteStore
from kybern.telemetry import Telemetry

KEYS = TokenKeys(ec.generate_private_key(ec.SECP256R1()))
TOKENS = {"secret": User("alice", ("devs",), "1")}
DAY = timedelta(days=1)
PROXY_CLIENT = Identity("front-proxy-client")


@dataclass
class Front:
    """A running gateway: its address, its CA, and clients."""

    network: MemoryNetwork
    port: int
    ca: Authority
    folder: Path
    admin: aiohttp.ClientSession
    task: asyncio.Task[None]

    async def stop(self) -> None:
        """End the gateway as a signal would."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def tls(self, user: str = "", *groups: str) -> ssl.SSLContext:
        """A client's TLS settings, with a certificate if a user is named."""
        context = ssl.create_default_context(cadata=self.ca.pem.decode())
        if user:
            folder = self.folder / f"client-{user}"
            write_bundle(folder, issue(self.ca, Identity(user, groups), DAY, datetime.now(UTC)))
            context.load_cert_chain(folder / "tls.pem")
        return context

    def client(self, user: str = "", *groups: str, **headers: str) -> aiohttp.ClientSession:
        """A session that the caller closes."""
        connector = aiohttp.TCPConnector(ssl=self.tls(user, *groups))
        return aiohttp.ClientSession(
            self.url, connector=connector, headers={"Accept-Encoding": "identity", **headers}, auto_decompress=False
        )


async def running(network: MemoryNetwork, name: str, tasks: list[asyncio.Task[None]], run) -> None:
    """Start a service with an environment of its own; returns once it is ready."""
    ready = asyncio.Event()
    telemetry = Telemetry(name)
    transport = MemoryTransport(network, Caller(f"system:kybern:{name}"), telemetry)
    task = asyncio.create_task(run(Env(SystemClock(), Random(7), transport, telemetry, ready.set)))
    tasks.append(task)
    waiter = asyncio.create_task(ready.wait())
    await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED, timeout=20)
    if task.done():
        task.result()
    assert waiter.done()


@asynccontextmanager
async def front(
    folder: Path, port: int, flags: dict[str, Any] | None = None, store: Store | None = None, **given: Any
) -> AsyncIterator[Front]:
    """`flags` are the gateway's, `given` further settings of the apiserver."""
    network = MemoryNetwork(Random(1))
    now = datetime.now(UTC)
    ca = create_ca(folder, now)
    pair = issue(ca, Identity("system:kybern:gateway", (), ("localhost",), ("127.0.0.1",)), DAY, now)
    write_bundle(folder / "gateway", pair)
    store = store or await SqliteStore.open(":memory:", threaded=False)
    write_bundle(folder / "front-proxy", issue(create_ca(folder / "front-proxy-ca", now), PROXY_CLIENT, DAY, now))
    proxy_client = folder / "front-proxy" / "tls.pem"
    given.setdefault("keys", KEYS)
    settings = Settings(advertise="192.0.2.2:6443", tokens=TOKENS, proxy_client=proxy_client, **given)
    options = Namespace(
        address="gateway:1",
        pki=str(folder / "gateway"),
        apiserver="apiserver:1",
        bind_address="127.0.0.1",
        secure_port=port,
        workers=1,
        worker=0,
        external_address="",
        proxy_client=str(folder / "front-proxy"),
        logs_dir=str(folder / "logs"),
        idle_timeout=90.0,
        read_header_timeout=32.0,
        strict_transport_security_directives="",
        read_body_timeout=60.0,
        request_timeout="1m0s",
        disable_http2_serving=False,
        http2_max_streams_per_connection=0,
        goaway_chance=0.0,
        profiling="true",
        requestheader_client_ca_file="",
        requestheader_allowed_names="",
        requestheader_username_headers="X-Remote-User",
        requestheader_group_headers="X-Remote-Group",
        requestheader_uid_headers="X-Remote-Uid",
        requestheader_extra_headers_prefix="X-Remote-Extra-",
    )
    for name, value in (flags or {}).items():
        setattr(options, name, value)
    tasks: list[asyncio.Task[None]] = []
    pem = ca.pem.decode()
    try:
        await running(network, "apiserver", tasks, lambda env: serve("apiserver:1", env, store, settings, pem))
        await running(network, "gateway", tasks, lambda env: SERVICE.run(options, env))
        found = Front(network, port, ca, folder, None, tasks[-1])  # type: ignore[arg-type]  # its client is made below
        async with found.client("root", "system:masters") as found.admin:
            yield found
            await found.admin.close()
            await asyncio.sleep(0.02)  # TLS connections say goodbye
    finally:
        for task in reversed(tasks):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await store.close()


@pytest.fixture
async def gateway(tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[Front]:
    async with front(tmp_path, unused_tcp_port) as found:
        yield found


@pytest.fixture
def fronts() -> Any:
    """`fronts(folder, port, **settings)` is a gateway for the length of an `async with` block."""
    return front
