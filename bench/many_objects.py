"""What grows with the number of objects: start, memory, GET, POST, LIST by pages, watch latency, Events that end.

    python bench/many_objects.py [--objects 1000,100000] [--directory DIR] [--encrypted]

Store and caches as the apiserver has them, in one process and one event loop, over the in-memory transport: what the
wire costs does not depend on the number of objects. Objects are ConfigMaps of 1 KB in 100 namespaces.
"""

import argparse
import asyncio
import gc
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from kybern.apiserver.server import ApiServer, Settings
from kybern.apiserver.service import serve
from kybern.apiserver.storage import opening
from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS
from kybern.clock import SystemClock
from kybern.rpc.memory import MemoryNetwork, MemoryTransport
from kybern.rpc.transport import Identity
from kybern.runtime.main import COLLECT_AFTER
from kybern.runtime.service import Env
from kybern.store.contract import KeyValue, Put, Store
from kybern.store.encryption import EncryptedStore
from kybern.store.encryption.config import EncryptionConfig, Key, ProviderConfig, ResourceConfig
from kybern.store.open import open_store
from kybern.store.sqlite.portable import import_objects
from kybern.telemetry import Telemetry

NAMESPACES = 100
VALUE = (
    b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"%b","namespace":"%b",'
    b'"uid":"00000000-0000-4000-8000-%012d","creationTimestamp":"2026-01-01T00:00:00Z","labels":{"app":"a%d"}},'
    b'"data":{"text":"' + b"x" * 800 + b'"}}'
)


def memory() -> float:
    """Resident MB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def make_store(path: Path, count: int) -> None:
    """A store file with that many ConfigMaps."""

    def objects() -> Any:
        for n in range(count):
            namespace, name = b"ns-%02d" % (n % NAMESPACES), b"object-%06d" % n
            key = f"/registry/configmaps/{namespace.decode()}/{name.decode()}"
            yield KeyValue(key, VALUE % (name, namespace, n, n % 10), n + 2, n + 2, 1)

    import_objects(path, objects(), count + 2, 3600.0, lambda done: None)


@asynccontextmanager
async def apiserver(store: Store) -> Any:
    """(server, client) of an apiserver on a store."""
    telemetry = Telemetry("apiserver")
    network, ready = MemoryNetwork(Random(1)), asyncio.Event()
    made: list[ApiServer] = []
    transport = MemoryTransport(network, Identity("system:kybern:apiserver"), telemetry)
    env = Env(SystemClock(), Random(7), transport, telemetry, ready.set)
    task = asyncio.create_task(serve("a:1", env, store, Settings(), made=made.append))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    own = MemoryTransport(network, Identity("admin", ("system:masters",)), telemetry)
    try:
        async with Client(own.channel("a:1", "apiserver.kybern")) as client:
            yield made[0], client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def timed(name: str, times: int, call: Callable[[int], Awaitable[Any]]) -> None:
    """Median and 99th percentile in milliseconds, and the CPU's work, which others on the machine change least."""
    found = []
    worked = time.process_time()
    for n in range(times):
        started = time.perf_counter()
        await call(n)
        found.append((time.perf_counter() - started) * 1000)
    worked = (time.process_time() - worked) * 1000 / times
    found.sort()
    median, late = found[len(found) // 2], found[int(len(found) * 0.99)]
    print(f"    {name:24} median {median:7.3f} ms  p99 {late:7.3f} ms  CPU {worked:7.3f} ms")


async def measure(path: Path, count: int, encrypted: bool) -> None:
    """One number of objects."""
    gc.collect()
    before, started, worked = memory(), time.perf_counter(), time.process_time()
    store = await open_store(f"sqlite:{path}")
    opened = time.perf_counter() - started
    if encrypted:
        provider = ProviderConfig("aesgcm", (Key("key1", os.urandom(32)),))
        config = EncryptionConfig((ResourceConfig(("*.*",), (provider, ProviderConfig("identity"))),))
        store = EncryptedStore(store, config, opening.classifier())
    async with apiserver(store) as (server, client):
        ready = time.perf_counter() - started
        gc.collect()
        gc.freeze()  # as kybern.runtime does when a service is ready
        took = f"store open {opened:.2f} s, ready {ready:.2f} s ({time.process_time() - worked:.2f} s of CPU)"
        print(f"{count:9,} objects: {took}, {memory() - before:.0f} MB")
        await measure_calls(client, count)
        await measure_watch(client, server)
        await measure_lists(client, server, store)
        await measure_care(store)
    await store.close()


async def measure_calls(client: Client, count: int) -> None:
    """One object at a time."""
    random = Random(3)

    async def get(n: int) -> None:
        number = random.randrange(count)
        await client.get(CONFIG_MAPS, f"object-{number:06d}", f"ns-{number % NAMESPACES:02d}")

    async def post(n: int) -> None:
        body = {"metadata": {"name": f"new-{n}", "namespace": "default"}, "data": {"text": "x" * 800}}
        await client.create(CONFIG_MAPS, body)

    async def remove(n: int) -> None:
        await client.delete(CONFIG_MAPS, f"new-{n}", "default")

    await timed("GET", 2000, get)
    await timed("POST", 1000, post)
    await timed("DELETE", 1000, remove)


async def measure_watch(client: Client, server: ApiServer) -> None:
    """From a POST until a watcher has its event."""
    seen: asyncio.Queue[str] = asyncio.Queue()

    async def follow() -> None:
        async for events in client.watch(CONFIG_MAPS, resource_version=str(server.feed.revision)):
            for event in events:
                seen.put_nowait(event.object["metadata"]["name"])

    async def until_seen(n: int) -> None:
        body = {"metadata": {"name": f"seen-{n}", "namespace": "default"}}
        task = asyncio.create_task(client.create(CONFIG_MAPS, body))
        while await seen.get() != f"seen-{n}":
            pass
        await task

    watching = asyncio.create_task(follow())
    await asyncio.sleep(0.1)
    await timed("POST until watched", 500, until_seen)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def measure_lists(client: Client, server: ApiServer, store: Store) -> None:
    """Pages through the apiserver, and from the store below it."""
    prefix, half = "/registry/configmaps/", "/registry/configmaps/ns-50/"
    rows: tuple[tuple[str, int, Callable[[int], Awaitable[Any]]], ...] = (
        ("LIST, page of 500", 50, lambda n: client.list(CONFIG_MAPS, limit=500)),
        ("LIST of a namespace, 10", 200, lambda n: client.list(CONFIG_MAPS, f"ns-{n % NAMESPACES:02d}", limit=10)),
        ("store, page of 500", 50, lambda n: store.range(prefix, start_after=half, limit=500)),
        (
            "store, page of the past",
            50,
            lambda n: store.range(prefix, start_after=half, limit=50, revision=server.feed.revision - 20),
        ),
    )
    for name, times, call in rows:
        await timed(name, times, call)


async def measure_care(store: Store) -> None:
    """Compaction and the end of a lease: how long the longest pause of others is."""
    lease = await store.lease_grant(3600)
    for start in range(0, 10_000, 500):
        await store.txn(
            [Put(f"/registry/events/default/e{n}", b"x" * 300, None, lease) for n in range(start, start + 500)]
        )
    for name, work in (
        ("10,000 Events end", store.lease_revoke(lease)),
        ("compaction", store.compact(await store.revision())),
    ):
        longest, started = 0.0, time.perf_counter()
        task = asyncio.ensure_future(work)
        while not task.done():
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)
        await task
        print(f"    {name:24} {time.perf_counter() - started:7.3f} s    longest pause {longest * 1000:.1f} ms")


if __name__ == "__main__":
    gc.set_threshold(*COLLECT_AFTER)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", default="1000,100000", help="numbers of objects, separated by commas")
    parser.add_argument("--directory", type=Path, default=None, help="where to write (a disk, not a tmpfs)")
    parser.add_argument("--encrypted", action="store_true", help="with AES-GCM for everything")
    arguments = parser.parse_args()
    for text in arguments.objects.split(","):
        with tempfile.TemporaryDirectory(dir=arguments.directory) as scratch:
            file = Path(scratch) / "store.db"
            make_store(file, int(text))
            asyncio.run(measure(file, int(text), arguments.encrypted))
