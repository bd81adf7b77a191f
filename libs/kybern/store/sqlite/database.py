"""The SQLite file: schema, lock, and the few statements the store needs.

One append-only table holds every version of every key; the row id is the version's id (see index.py). A file belongs
to one process at a time (flock on `FILE.lock`). Durability: WAL with synchronous=FULL, so a commit returns after its
fsync. All methods block; who calls them from which thread is decided in writer.py.
"""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from kybern.store.durable import replacing
from kybern.store.errors import OutcomeUnknown, StoreError, StoreFull, StoreUnavailable, StoreUnusable

MEMORY = ":memory:"
APPLICATION_ID = 0x4B594245  # "KYBE"
SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE history (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL, create_revision INTEGER NOT NULL, version INTEGER NOT NULL,
  lease INTEGER NOT NULL, value BLOB NOT NULL);
CREATE TABLE lease (id INTEGER PRIMARY KEY AUTOINCREMENT, ttl REAL NOT NULL);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counter VALUES ('revision', 1), ('compacted', 0);
"""
DELETE = "DELETE FROM history WHERE id = ?"
ROWS = 64  # per INSERT at most


class Row(NamedTuple):
    """One line of `history`."""

    id: int
    key: str
    create_revision: int
    version: int
    lease: int
    value: bytes


@dataclass(slots=True)
class Batchable:
    """What one transaction wants from the disk: rows to add, other statements, then values to read."""

    rows: Sequence[Row] = ()
    statements: Sequence[tuple[str, Sequence[tuple[Any, ...]]]] = ()
    reads: Sequence[int] = ()
    values: dict[int, bytes] = field(default_factory=dict)


class Database:
    """One connection."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, cached_statements=2 * ROWS
            )
        except sqlite3.Error as e:
            raise StoreUnusable(f"cannot open {path}: {e}") from e
        self._connection.execute("PRAGMA busy_timeout=10000")

    def prepare(self, create: bool = True) -> None:
        """Make a new file a store, or check that it is one. Raises StoreUnusable."""
        try:
            self._connection.execute("PRAGMA synchronous=FULL")
            version = int(self._one("PRAGMA user_version"))
            owner = int(self._one("PRAGMA application_id"))
            tables = int(self._one("SELECT count(*) FROM sqlite_schema"))
            if create and not tables and not version and not owner:
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.executescript(
                    f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id={APPLICATION_ID}; "
                    f"PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
                )
                return
        except sqlite3.Error as e:
            raise self.translate(e, opening=True) from e
        self._check_schema(owner, version)
        self._connection.execute("PRAGMA journal_mode=WAL")  # a restored snapshot is not in WAL mode

    def _check_schema(self, owner: int, version: int) -> None:
        if owner != APPLICATION_ID:
            raise StoreUnusable(f"{self.path} is another program's database: choose another path for the store")
        if version > SCHEMA_VERSION:
            raise StoreUnusable(
                f"{self.path} was written by a newer Kybern (schema {version}, this one knows {SCHEMA_VERSION}): "
                "upgrade Kybern, or restore a snapshot taken with this version"
            )
        if version < SCHEMA_VERSION:
            raise StoreUnusable(
                f"{self.path} was written by an older Kybern (schema {version}, this one needs {SCHEMA_VERSION}): "
                "take a snapshot with the older version's tools, or start with an empty data directory"
            )

    def counters(self) -> dict[str, int]:
        """`revision` (at the last compaction) and `compacted`."""
        return dict(self._connection.execute("SELECT name, value FROM counter"))

    def leases(self) -> tuple[dict[int, float], int]:
        """Leases with their ttl, and the highest id ever used."""
        last = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name='lease'").fetchone()
        return dict(self._connection.execute("SELECT id, ttl FROM lease")), last[0] if last else 0

    def versions(self) -> Iterator[tuple[int, str, int, int, int]]:
        """Everything but the values, oldest first."""
        return self._connection.execute("SELECT id, key, create_revision, version, lease FROM history ORDER BY id")

    def delete(self, ids: Iterable[int]) -> None:
        """Remove rows."""
        self.commit([Batchable(statements=[(DELETE, [(version_id,) for version_id in ids])])])

    def commit(self, batch: Iterable[Batchable]) -> None:
        """Carry out all of it in one SQLite transaction, or none. Raises StoreFull, StoreUnavailable."""
        batch = list(batch)
        rows = [row for item in batch for row in item.rows]
        try:
            if 0 < len(rows) <= ROWS and not any(item.statements or item.reads for item in batch):
                self._insert(rows)  # a transaction of its own: the interpreter's lock is handed over once, not thrice
                return
            if rows or any(item.statements for item in batch):
                self._connection.execute("BEGIN IMMEDIATE")
                for start in range(0, len(rows), ROWS):
                    self._insert(rows[start : start + ROWS])
            for item in batch:
                if item.reads:
                    item.values.update(self.read(item.reads))
                for sql, parameters in item.statements:
                    self._connection.executemany(sql, parameters)
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        except Exception as e:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(e, sqlite3.Error):
                raise self.translate(e) from e
            raise

    def _insert(self, rows: Sequence[Row]) -> None:
        """At most ROWS. There are as many statements as numbers of rows, each prepared once."""
        self._connection.execute(_insertion(len(rows)), list(chain.from_iterable(rows)))

    def read(self, ids: Sequence[int]) -> dict[int, bytes]:
        """The values of these versions; compacted ones are missing."""
        values: dict[int, bytes] = {}
        for start in range(0, len(ids), 500):
            chunk = ids[start : start + 500]
            marks = ",".join("?" * len(chunk))
            values.update(self._connection.execute(f"SELECT id, value FROM history WHERE id IN ({marks})", chunk))
        return values

    def history(self, first: int, last: int, limit: int) -> list[Row]:
        """The rows with ids from `first` up to and including `last`."""
        cursor = self._connection.execute(
            "SELECT * FROM history WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?", (first, last, limit)
        )
        return [Row(*row) for row in cursor]

    def copy(self, path: Path) -> None:
        """Write a compact, consistent copy to a new file, atomically."""
        try:
            with replacing(path) as partial:
                self._connection.execute("VACUUM INTO ?", (str(partial),))
        except sqlite3.Error as e:
            raise self.translate(e) from e

    def fold(self) -> None:
        """Bring everything into the one file: no write-ahead log beside it."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.execute("PRAGMA journal_mode=DELETE")

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _one(self, sql: str) -> Any:
        return self._connection.execute(sql).fetchone()[0]

    def translate(self, error: sqlite3.Error, opening: bool = False) -> StoreError:
        """SQLite's error as the contract's, in a sentence that says what to do."""
        name = getattr(error, "sqlite_errorname", "")
        if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and _no_space(self.path)):
            return StoreFull(f"no space left for {self.path}: free some and try again; nothing was written")
        if opening and name == "SQLITE_NOTADB":
            return StoreUnusable(f"{self.path} is not a Kybern store ({error}): choose another path for the store")
        if name.startswith("SQLITE_CORRUPT") or name == "SQLITE_NOTADB":
            kind = StoreUnusable if opening else StoreUnavailable
            return kind(
                f"{self.path} is damaged ({error}): move it away and restore the last backup (kybern restore FILE "
                "--data-dir DIR); what can still be read may be saved with `sqlite3 FILE .recover`"
            )
        if name.startswith("SQLITE_READONLY"):
            what = f"{self.path} cannot be written ({error}): make its disk and folder writable"
            return StoreUnusable(what) if opening else StoreUnavailable(f"{what}; nothing was written")
        if opening:
            return StoreUnusable(f"cannot open {self.path}: {error}")
        if name == "SQLITE_IOERR_FSYNC":
            return BrokenDisk(f"{self.path}: the disk refused to make a write durable; check it and start again")
        return StoreUnavailable(f"{self.path}: {error} ({name})")


class BrokenDisk(OutcomeUnknown):
    """An fsync failed: what is on disk is unknown until the file is opened anew."""


@lru_cache(maxsize=ROWS)
def _insertion(rows: int) -> str:
    return "INSERT INTO history VALUES " + ",".join(["(?,?,?,?,?,?)"] * rows)


def _no_space(path: str) -> bool:
    try:
        stat = os.statvfs(Path(path).parent)
    except OSError:
        return False
    return stat.f_bavail * stat.f_frsize < 64 * 1024


class FileLock:
    """One owner per file; the kernel lets go when the owner dies."""

    def __init__(self, path: str) -> None:
        self._path = Path(path + ".lock")
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as e:
            raise StoreUnusable(f"cannot open the store {path}: {e.strerror}: {self._path}") from e
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            owner = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "?"
            os.close(self._fd)
            if e.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise StoreUnusable(f"cannot lock the store {path}: {e.strerror}") from e
            raise StoreUnusable(
                f"the store {path} is in use by process {owner}: stop that cluster or choose another data directory"
            ) from e
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let the next owner in."""
        os.close(self._fd)
