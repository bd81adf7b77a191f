"""A SQLite store's objects, out of a file that may be in use, and into a new one."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from kybern.store.contract import KeyValue
from kybern.store.durable import replacing
from kybern.store.errors import StoreUnusable
from kybern.store.sqlite.database import APPLICATION_ID, SCHEMA_VERSION, Batchable, Database, FileLock, Row
from kybern.store.sqlite.index import SUB_BITS

HEADS = """
SELECT id, key, create_revision, version, lease, value FROM history
WHERE id IN (SELECT max(id) FROM history GROUP BY key) AND version > 0 ORDER BY id
"""
BATCH = 2000
LEASE = 1  # the one lease of a restored store


@contextmanager
def exporting(path: Path) -> Iterator[tuple[int, Iterator[KeyValue]]]:
    """(revision, every key's newest version) as of one moment; who uses the store is not disturbed.

    Raises StoreUnusable."""
    if not path.is_file():
        raise StoreUnusable(f"there is no store {path}")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as connection:
            connection.execute("PRAGMA busy_timeout=10000")
            found = tuple(
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
            if found != (APPLICATION_ID, SCHEMA_VERSION):
                raise StoreUnusable(f"{path} is not a store of this version of Kybern")
            connection.execute("BEGIN")  # a snapshot from the first read on
            (counted,) = connection.execute("SELECT value FROM counter WHERE name = 'revision'").fetchone()
            (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM history").fetchone()
            rows = (Row(*row) for row in connection.execute(HEADS))
            yield max(counted, last >> SUB_BITS), (_key_value(row) for row in rows)
    except sqlite3.Error as error:
        raise StoreUnusable(f"cannot read {path}: {error}") from error


def _key_value(row: Row) -> KeyValue:
    return KeyValue(row.key, row.value, row.create_revision, row.id >> SUB_BITS, row.version, row.lease)


def import_objects(
    path: Path, objects: Iterable[KeyValue], revision: int, lease_ttl: float, told: Callable[[int], None]
) -> None:
    """Make a new store of these objects, each with the revision it had; the store begins at `revision`, and nothing
    before that can be watched or read. Raises StoreUnusable if there is one already."""
    if path.exists():
        raise StoreUnusable(f"there is a store already ({path}): restore into an empty data dir")
    lock = FileLock(str(path))
    try:
        with replacing(path) as partial:
            _fill(partial, objects, revision, lease_ttl, told)
    finally:
        lock.release()


def _fill(
    path: Path, objects: Iterable[KeyValue], revision: int, lease_ttl: float, told: Callable[[int], None]
) -> None:
    database = Database(str(path))
    try:
        database.prepare()
        counters = [(revision, "revision"), (revision, "compacted")]
        statements: list[tuple[str, list[tuple[Any, ...]]]] = [
            ("UPDATE counter SET value = ? WHERE name = ?", counters),
            ("INSERT INTO lease VALUES (?, ?)", [(LEASE, lease_ttl)]),
        ]
        database.commit([Batchable(statements=statements)])
        rows: list[Row] = []
        written: dict[int, int] = {}  # revision → objects of it
        for done, kv in enumerate(objects, 1):
            sub = written.get(kv.mod_revision, 0)
            written[kv.mod_revision] = sub + 1
            version_id = (kv.mod_revision << SUB_BITS) + sub
            rows.append(Row(version_id, kv.key, kv.create_revision, kv.version, LEASE if kv.lease else 0, kv.value))
            if len(rows) >= BATCH:
                database.commit([Batchable(rows=rows)])
                rows = []
            told(done)
        database.commit([Batchable(rows=rows)])
        database.fold()
    finally:
        database.close()
