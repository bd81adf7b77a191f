"""The embedded store: SQLite with multi-version history, one writer, and one fsync for all who wait."""

from kybern.store.sqlite.files import restore
from kybern.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore", "restore"]
