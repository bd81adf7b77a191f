"""SqliteStore: the Store contract on one file.

Concurrency: the event loop owns index, revision counter, leases and watches (sequencer.py, leases.py, watch.py); one
thread writes (writer.py); two threads read (readers.py). With `threaded=False`, or for ":memory:", everything happens
in the event loop, and the time of leases is the loop's: the same code under virtual time.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from kybern.store.contract import Delete, KeyValue, Put, RangeResult, TxnResult, WatchBatch, Write, check_writes
from kybern.store.errors import (
    CompactedError,
    FutureRevisionError,
    LeaseNotFoundError,
    StoreError,
    StoreUnavailable,
)
from kybern.store.sqlite.database import DELETE, MEMORY
from kybern.store.sqlite.files import Files, open_files
from kybern.store.sqlite.index import COMPACT_STEP, Version
from kybern.store.sqlite.leases import Leases
from kybern.store.sqlite.readers import InlineReader, Reader, ThreadReader
from kybern.store.sqlite.recent import RecentValues
from kybern.store.sqlite.sequencer import Sequencer, Statements, key_value
from kybern.store.sqlite.watch import WatchHub
from kybern.store.sqlite.writer import InlineWriter, ThreadWriter, Writer

CACHE_BYTES = 4 << 20
EXPIRY_RETRY = 1.0
EXPIRY_STEP = 500  # keys of a lease deleted at a time


class SqliteStore:
    """See Store. Make one with `open`."""

    exclusive = True

    def __init__(self, files: Files, threaded: bool, cache_bytes: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._files = files
        self._database = files.database
        self._index = files.index
        self._writer: Writer = ThreadWriter(self._database, self._loop) if threaded else InlineWriter(self._database)
        self._reader: Reader = ThreadReader(self._database.path) if threaded else InlineReader(self._database)
        self._values = RecentValues(cache_bytes)
        self._hub = WatchHub(files.revision, files.compacted, cache_bytes, self._index, self._reader)
        self._sequencer = Sequencer(self._index, self._values, self._writer, files.revision, self._hub.publish)
        self._leases = Leases()
        self._last_lease = files.last_lease
        for lease, ttl in files.leases.items():
            self._leases.add(lease, ttl, self._loop.time())
        for key, lease in files.leased_keys:
            if lease in self._leases:
                self._leases.attach(lease, key)
        self._timer: asyncio.TimerHandle | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._arm()

    @classmethod
    async def open(cls, path: str | Path, *, threaded: bool = True, cache_bytes: int = CACHE_BYTES) -> "SqliteStore":
        """Open or create. Raises StoreUnusable with a sentence that says what to do."""
        threaded = threaded and str(path) != MEMORY
        files = await asyncio.to_thread(open_files, str(path)) if threaded else open_files(str(path))
        return cls(files, threaded, cache_bytes)

    # Reads

    async def get(self, key: str, revision: int = 0) -> tuple[KeyValue | None, int]:
        """See Store."""
        while True:
            at = self._readable(revision)
            version = self._index.at(key, at)
            if version is None:
                return None, at
            if items := await self._items([(key, version)], at):
                return items[0], at

    async def range(self, prefix: str, *, start_after: str = "", limit: int = 0, revision: int = 0) -> RangeResult:
        """See Store."""
        while True:
            at = self._readable(revision)
            found, count = self._index.range(prefix, start_after, limit, at)
            items = await self._items(found, at)
            if len(items) == len(found):
                return RangeResult(items, at, count > len(items), count)

    def _readable(self, revision: int) -> int:
        self._check_open()
        if revision > self._sequencer.visible:
            raise FutureRevisionError(revision, self._sequencer.visible)
        if revision and revision < self._hub.compacted:
            raise CompactedError(revision, self._hub.compacted)
        return revision or self._sequencer.visible

    async def _items(self, found: Sequence[tuple[str, Version]], at: int) -> list[KeyValue]:
        """With values; some are missing if they were compacted meanwhile: then the caller looks again."""
        values = {v.id: value for _, v in found if (value := self._values.get(v.id)) is not None}
        missing = [v.id for _, v in found if v.id not in values]
        if missing:
            values.update(await self._reader.run(lambda database: database.read(missing)))
            if not all(version_id in values for version_id in missing) and at >= self._hub.compacted:
                raise StoreUnavailable(f"{self._database.path} lost a value: restore a snapshot")
        return [key_value(key, v, values[v.id]) for key, v in found if v.id in values]

    async def revision(self) -> int:
        """See Store."""
        self._check_open()
        return self._sequencer.visible

    def watch(
        self, prefix: str, *, start_revision: int, progress: float = 10.0, own: bool = True
    ) -> AsyncGenerator[WatchBatch, None]:
        """See Store."""
        self._check_open()
        return self._hub.watch(prefix, start_revision or self._sequencer.visible + 1, progress, own)

    # Writes

    async def txn(self, writes: Sequence[Write]) -> TxnResult:
        """See Store. A cancelled caller's transaction may still happen."""
        self._check_open()
        check_writes(writes)
        leased = [write for write in writes if isinstance(write, Put) and write.lease]
        for write in leased:
            if write.lease not in self._leases:
                raise LeaseNotFoundError(write.lease)
            self._leases.attach(write.lease, write.key)
        return await self._sequencer.submit(writes, told=True)

    async def lease_grant(self, ttl: float) -> int:
        """See Store."""
        self._check_open()
        if ttl <= 0:
            raise ValueError("a lease needs a ttl above 0 seconds")
        self._last_lease += 1
        lease = self._last_lease
        await self._sequencer.submit((), [("INSERT INTO lease VALUES (?, ?)", [(lease, ttl)])])
        self._leases.add(lease, ttl, self._loop.time())
        self._arm()
        return lease

    async def lease_keepalive(self, lease: int) -> float:
        """See Store."""
        self._check_open()
        if lease not in self._leases:
            raise LeaseNotFoundError(lease)
        ttl = self._leases.renew(lease, self._loop.time())
        self._arm()
        return ttl

    async def lease_revoke(self, lease: int) -> None:
        """See Store."""
        self._check_open()
        if lease not in self._leases:
            raise LeaseNotFoundError(lease)
        await asyncio.shield(self._end(lease))

    def _end(self, lease: int) -> "asyncio.Task[None]":
        """Delete the lease and its keys."""
        self._leases.end(lease)
        task = self._loop.create_task(self._delete_leased(lease))
        self._endings.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._endings.discard(task)
        if not task.cancelled():
            task.exception()  # said to who asked; tried again by the timer

    async def _delete_leased(self, lease: int) -> None:
        """In steps, so that nobody waits long; the lease itself goes with the last, so that a crash loses no step."""
        keys = self._leases.candidates(lease)
        statements: Statements = [("DELETE FROM lease WHERE id = ?", [(lease,)])]
        try:
            for start in range(0, max(1, len(keys)), EXPIRY_STEP):
                step = keys[start : start + EXPIRY_STEP]
                gone = [Delete(key) for key in step if (head := self._index.head(key)) and head.lease == lease]
                last = start + EXPIRY_STEP >= len(keys)
                await self._sequencer.submit(gone, statements if last else ())
        except StoreError:  # no space left, perhaps
            self._leases.retry_end(lease, self._loop.time() + EXPIRY_RETRY)
            self._arm()
            raise
        self._leases.ended(lease)

    def _arm(self) -> None:
        """Set the timer to the next lease's end."""
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._leases.next_deadline()
        if deadline is None or self._hub.closed:
            self._timer = None
        else:
            self._timer = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        """The timer rang."""
        for lease in self._leases.expired(self._loop.time()):
            self._end(lease)
        self._arm()

    async def request_progress(self) -> None:
        """See Store. The watches of this process are never behind."""

    async def outdated(self, key: str) -> bool:
        """See Store. Values are stored as they are given."""
        return False

    # Care

    async def compact(self, revision: int) -> None:
        """See Store. Rows go in small steps, so that writers do not wait long."""
        self._check_open()
        if revision > self._sequencer.visible:
            raise FutureRevisionError(revision, self._sequencer.visible)
        if revision <= self._hub.compacted:
            raise CompactedError(revision, self._hub.compacted)
        self._hub.compacted = revision
        counters = [(self._sequencer.visible, "revision"), (revision, "compacted")]
        await self._sequencer.submit((), [("UPDATE counter SET value = ? WHERE name = ?", counters)])
        while gone := self._index.compact(revision, COMPACT_STEP):
            await self._sequencer.submit((), [(DELETE, [(version_id,) for version_id in gone])])

    async def snapshot(self, path: Path) -> int:
        """See Store. The copy is a store file: `restore` puts it in place."""
        revision = self._readable(0)
        await self._reader.run(lambda database: database.copy(Path(path)))
        return revision

    async def close(self) -> None:
        """See Store."""
        if self._hub.closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._hub.close()
        await self._writer.close()
        await asyncio.gather(*self._endings, return_exceptions=True)
        await self._reader.close()
        self._files.close()

    def _check_open(self) -> None:
        if self._hub.closed:
            raise StoreUnavailable("the store is closed")
