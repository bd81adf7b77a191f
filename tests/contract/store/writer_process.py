"""A process that writes through a SqliteStore and prints what was acknowledged, until it is killed.

Usage: writer_process.py FILE ROUND"""

import asyncio
import sys

from kybern.store.contract import Delete, Put
from kybern.store.sqlite import SqliteStore


async def write(store: SqliteStore, worker: int, round_: str) -> None:
    """Puts, multi-key puts and deletes; a line `revision op keys...` after each acknowledgement."""
    for i in range(1_000_000):
        key = f"/{round_}/{worker}/{i}"
        result = await store.txn([Put(key, b"v" * 700), Put(f"/last/{worker}", key.encode())])
        print(result.revision, "put", key, flush=True)
        if i % 3 == 2:
            result = await store.txn([Delete(key)])
            print(result.revision, "delete", key, flush=True)
        if i % 50 == 49 and worker == 0:
            await store.compact(result.revision - 20)


async def main(path: str, round_: str) -> None:
    """Eight writers."""
    store = await SqliteStore.open(path)
    print(await store.revision(), "open", "-", flush=True)
    await asyncio.gather(*(write(store, worker, round_) for worker in range(8)))


asyncio.run(main(sys.argv[1], sys.argv[2]))
