"""Reading from disk without blocking the event loop or the writer: a few threads with a connection each."""

import sqlite3
import threading
from asyncio import get_running_loop, to_thread
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from kybern.store.sqlite.database import Database

T = TypeVar("T")


class Reader(Protocol):
    """Runs a blocking read."""

    async def run(self, read: Callable[[Database], T]) -> T:
        """The read's result."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


class InlineReader:
    """Reads in place, through the only connection an in-memory database has."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, read: Callable[[Database], T]) -> T:
        """Read now."""
        try:
            return read(self._database)
        except sqlite3.Error as error:
            raise self._database.translate(error) from error

    async def close(self) -> None:
        """The connection is the writer's."""


class ThreadReader:
    """Reads in a small pool; WAL readers do not disturb the writer."""

    def __init__(self, path: str, threads: int = 2) -> None:
        self._path = path
        self._local = threading.local()
        self._open: list[Database] = []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store-reader", initializer=self._connect)

    def _connect(self) -> None:
        self._local.database = Database(self._path)
        self._open.append(self._local.database)

    async def run(self, read: Callable[[Database], T]) -> T:
        """Read in one of the threads."""

        def work() -> T:
            database: Database = self._local.database
            try:
                return read(database)
            except sqlite3.Error as error:
                raise database.translate(error) from error

        return await get_running_loop().run_in_executor(self._pool, work)

    async def close(self) -> None:
        """Wait for reads under way, then close."""
        await to_thread(self._pool.shutdown, wait=True)
        for database in self._open:
            database.close()
