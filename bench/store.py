"""Commits per second of the stores, and what group commit gains over one fsync per transaction.

    python bench/store.py [--directory DIR] [--seconds S] [--etcd HOST:PORT]

With encryption at rest: the same store behind AES-GCM, and what one value costs alone.

Every figure is of durable writes (1 KB values, one key each). The raw figure is plain sqlite3 with the same settings,
one transaction after the other, each with its own fsync: what 16 or 128 writers would get without group commit.
"""

import argparse
import asyncio
import sqlite3
import tempfile
import time
import timeit
from functools import partial
from pathlib import Path

from kybern.store.contract import Put, Store
from kybern.store.encryption import EncryptedStore, EncryptionConfig
from kybern.store.encryption.config import Key, ProviderConfig, ResourceConfig
from kybern.store.encryption.transformers import LocalKeys
from kybern.store.etcd import EtcdStore
from kybern.store.sqlite import SqliteStore

VALUE, NAME = b"x" * 1024, b"/registry/configmaps/bench/a"
WRITERS = (1, 16, 128)
EVERYTHING = EncryptionConfig((ResourceConfig(("*.*",), (ProviderConfig("aesgcm", (Key("key1", b"k" * 32),)),)),))


def raw_commits(path: Path, seconds: float) -> float:
    """Transactions per second of plain SQLite: WAL, synchronous=FULL, one insert each."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE history (id INTEGER PRIMARY KEY, key TEXT, value BLOB)")
    start = time.perf_counter()
    count = 0
    while time.perf_counter() - start < seconds:
        connection.execute("INSERT INTO history (key, value) VALUES (?, ?)", (f"/{count}", VALUE))
        count += 1
    rate = count / (time.perf_counter() - start)
    connection.close()
    return rate


async def commits(store: Store, writers: int, seconds: float) -> tuple[float, float]:
    """Transactions per second, and the median time of one in milliseconds."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def write(writer: int) -> None:
        i = 0
        while (begin := time.perf_counter()) < end:
            result = await store.txn([Put(f"/registry/configmaps/bench/{writer}-{i % 100}", VALUE)])
            assert result.succeeded
            times.append(time.perf_counter() - begin)
            i += 1

    async with asyncio.TaskGroup() as group:
        for writer in range(writers):
            group.create_task(write(writer))
    return len(times) / seconds, sorted(times)[len(times) // 2] * 1000


async def report(name: str, store: Store, seconds: float, raw: float) -> None:
    """One line per number of writers."""
    for writers in WRITERS:
        rate, median = await commits(store, writers, seconds)
        print(f"{name:16} {writers:4} writers {rate:9,.0f}/s  median {median:6.2f} ms  {rate / raw:5.1f} x raw")


def ciphers() -> None:
    """Microseconds to encrypt and to decrypt one value."""
    for kind in ("aesgcm", "aescbc"):
        provider = LocalKeys(kind, [Key("key1", b"k" * 32)])
        stored = provider.seal(VALUE, NAME)
        seal, unseal = partial(provider.seal, VALUE, NAME), partial(provider.open, stored, NAME)
        sealing, opening = timeit.timeit(seal, number=20_000) * 50, timeit.timeit(unseal, number=20_000) * 50
        print(f"{kind:16} 1 KB    seal {sealing:5.1f} µs    open {opening:5.1f} µs")


async def main(directory: Path, seconds: float, etcd: str | None) -> None:
    """All stores."""
    raw = raw_commits(directory / "raw.db", seconds)
    print(f"{'raw sqlite3':16} {1:4} writer  {raw:9,.0f}/s  one fsync per transaction")
    for name, threaded in (("sqlite", True), ("sqlite inline", False)):
        store = await SqliteStore.open(directory / f"{name}.db", threaded=threaded)
        await report(name, store, seconds, raw)
        await store.close()
    inner = await SqliteStore.open(directory / "encrypted.db")
    store_encrypted = EncryptedStore(inner, EVERYTHING, lambda key: ("", "configmaps"))
    await report("sqlite, AES-GCM", store_encrypted, seconds, raw)
    await store_encrypted.close()
    ciphers()
    if etcd:
        cluster = await EtcdStore.open([etcd])
        await report("etcd", cluster, seconds, raw)
        await cluster.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, default=None, help="where to write (a disk, not a tmpfs)")
    parser.add_argument("--seconds", type=float, default=3.0, help="per figure")
    parser.add_argument("--etcd", default=None, help="also measure this etcd")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as scratch:
        asyncio.run(main(Path(scratch), arguments.seconds, arguments.etcd))
