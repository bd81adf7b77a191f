"""Where audit events go. A backend takes lines and never waits; `run` carries them away in batches."""

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from kybern.apiserver.core.audit.rotation import Rotation, backup_name, outdated

MOST_WAITING = 10_000  # lines


class Backend(Protocol):
    """`take` events, be `settled` before who asked is answered, `run` for the life of the server; `run` writes what is
    left when it is cancelled."""

    lost: int

    def take(self, line: bytes) -> None: ...

    async def settled(self) -> None: ...

    async def run(self) -> None: ...


class FileBackend:
    """Lines of JSON in a file, rotated; "-" is standard output. Each batch is one write, on a thread."""

    def __init__(
        self, path: str, rotation: Rotation, now: Callable[[], datetime], log: logging.Logger, most: int = MOST_WAITING
    ) -> None:
        self.lost = 0
        self._path = path
        self._rotation = rotation
        self._now = now
        self._log = log
        self._most = most
        self._lines: list[bytes] = []
        self._taken = self._written = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()  # until so many are written
        self._runs = False
        self._something = asyncio.Event()

    def take(self, line: bytes) -> None:
        """Queue a line; when too many wait, it is lost and counted."""
        if len(self._lines) >= self._most:
            self.lost += 1
            return
        self._lines.append(line)
        self._taken += 1
        self._something.set()

    async def settled(self) -> None:
        """Wait until what has been taken is written: who is told of an answer finds it in the log."""
        if self._runs and self._written < self._taken:
            done = asyncio.get_running_loop().create_future()
            self._waiting.append((self._taken, done))
            await done

    async def run(self) -> None:
        """Write until cancelled, then what is left."""
        self._runs = True
        try:
            while True:
                await self._something.wait()
                await self._flush()
        finally:
            self._runs = False
            batch = self._next()
            self._write(batch)
            self._settle(len(batch))

    def _settle(self, count: int) -> None:
        self._written += count
        while self._waiting and self._waiting[0][0] <= self._written:
            _, done = self._waiting.popleft()
            if not done.done():
                done.set_result(None)

    async def _flush(self) -> None:
        batch = self._next()
        writing = asyncio.ensure_future(asyncio.to_thread(self._write, batch))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await writing
            raise
        finally:
            self._settle(len(batch))

    def _next(self) -> list[bytes]:
        batch, self._lines = self._lines, []
        self._something.clear()
        return batch

    def _write(self, lines: list[bytes]) -> None:
        if not lines:
            return
        data = b"\n".join(lines) + b"\n"
        try:
            if self._path == "-":
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
            else:
                self._append(Path(self._path), data)
        except OSError as error:
            self.lost += len(lines)
            self._log.error("the audit log %s cannot be written: %s", self._path, error)

    def _append(self, path: Path, data: bytes) -> None:
        """Append, after putting a full file aside."""
        size = path.stat().st_size if path.exists() else 0
        if self._rotation.is_full(size, len(data)):
            path.rename(path.with_name(backup_name(path.name, self._now())))
            names = [file.name for file in path.parent.iterdir()]
            for name in outdated(self._rotation, path.name, names, self._now()):
                path.with_name(name).unlink(missing_ok=True)
        created = not path.exists()
        with path.open("ab") as file:
            if created:
                path.chmod(0o600)
            file.write(data)
