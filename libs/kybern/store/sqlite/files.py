"""From files to a store and back: opening, recovery, restore."""

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kybern.store.durable import replacing
from kybern.store.errors import StoreUnusable
from kybern.store.sqlite.database import MEMORY, Database, FileLock
from kybern.store.sqlite.index import COMPACT_STEP, SUB_BITS, Index, Version


@dataclass(frozen=True)
class Files:
    """An open store's files and what was found in them."""

    lock: FileLock | None
    database: Database
    index: Index
    revision: int
    compacted: int
    leases: dict[int, float]
    last_lease: int
    leased_keys: list[tuple[str, int]]

    def close(self) -> None:
        """Give them back."""
        self.database.close()
        if self.lock is not None:
            self.lock.release()


def open_files(path: str) -> Files:
    """Lock, open or create, and read everything but the values. Raises StoreUnusable."""
    lock = FileLock(path) if path != MEMORY else None
    try:
        database = Database(path)
        try:
            database.prepare()
            return _recover(lock, database)
        except (sqlite3.Error, IndexError, KeyError, TypeError) as error:  # rows that are none, too
            raise database.translate(as_damage(error), opening=True) from error
        except BaseException:
            database.close()
            raise
    except BaseException:
        if lock is not None:
            lock.release()
        raise


def as_damage(error: Exception) -> sqlite3.Error:
    """What SQLite would have said of rows that make no sense."""
    if isinstance(error, sqlite3.Error):
        return error
    damage = sqlite3.DatabaseError(f"rows that make no sense: {error!r}")
    damage.sqlite_errorname = "SQLITE_CORRUPT"
    return damage


def _recover(lock: FileLock | None, database: Database) -> Files:
    """Fill the index and finish an interrupted compaction."""
    counters = database.counters()
    leased: dict[str, int] = {}
    last = 0

    def versions() -> Iterator[tuple[str, Version]]:
        nonlocal last
        for last, key, create_revision, version, lease in database.versions():
            if lease:
                leased[key] = lease
            yield key, Version(last, create_revision, version, lease)

    index = Index()
    index.load(versions())
    while gone := index.compact(counters["compacted"], COMPACT_STEP):
        database.delete(gone)
    leases, last_lease = database.leases()
    revision = max(counters["revision"], last >> SUB_BITS)
    return Files(lock, database, index, revision, counters["compacted"], leases, last_lease, list(leased.items()))


def restore(snapshot: Path, path: Path) -> None:
    """Put a snapshot in the place of a store that is not open; the store that was there stays as `PATH.before`."""
    if not snapshot.is_file():
        raise StoreUnusable(f"there is no snapshot {snapshot}")
    lock = FileLock(str(path))
    try:
        with replacing(path) as partial:
            shutil.copyfile(snapshot, partial)
            database = Database(str(partial))
            try:
                database.prepare(create=False)
            finally:
                database.close()
            for suffix in ("-wal", "-shm", ""):
                old = Path(f"{path}{suffix}")
                if old.exists():
                    old.rename(f"{path}.before{suffix}")
    finally:
        lock.release()
