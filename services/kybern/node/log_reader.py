"""Container logs from the runtime's files: tail, since, limit, and following through rotation."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

from kybern.node.core.log_format import Filter, parse, render, wanted

CHUNK = 64 * 1024
POLL_SECONDS = 0.1


def tail_offset(file: BinaryIO, lines: int) -> int:
    """Where the last so many lines of a file begin. Blocking."""
    end = file.seek(0, os.SEEK_END)
    if lines <= 0:
        return end
    position, found = end, 0
    while position > 0:
        size = min(CHUNK, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            if position + at + 1 == end:
                continue  # the end of the last line begins no line
            found += 1
            if found == lines:
                return position + at + 1
    return 0


class LogFile:
    """One log being read: whole lines only, until they are complete. Blocking."""

    def __init__(self, path: Path, tail: int | None) -> None:
        self.path = path
        self._file = path.open("rb")
        self._inode = os.fstat(self._file.fileno()).st_ino
        self._rest = b""
        self._file.seek(tail_offset(self._file, tail) if tail is not None else 0)

    def lines(self) -> list[bytes]:
        """The complete lines that came since the last call, a chunk at most."""
        data = self._rest + self._file.read(CHUNK)
        *whole, self._rest = data.split(b"\n")
        return whole

    def rotated(self) -> bool:
        """Go on with a new file of the same name, if there is one."""
        try:
            if self.path.stat().st_ino == self._inode:
                return False
            fresh = self.path.open("rb")
        except FileNotFoundError:
            return False
        self._file.close()
        self._file, self._inode, self._rest = fresh, os.fstat(fresh.fileno()).st_ino, b""
        return True

    def close(self) -> None:
        self._file.close()


async def read_log(
    path: Path,
    rule: Filter,
    *,
    tail: int | None = None,
    limit: int | None = None,
    follow: bool = False,
    running: Callable[[], bool] = lambda: False,
) -> AsyncIterator[bytes]:
    """A log as bytes to send on; with `follow` until the container has ended. Raises FileNotFoundError."""
    file = await asyncio.to_thread(LogFile, path, tail)
    left = limit
    try:
        while True:
            alive = running()  # before reading: what a container wrote last is read once it is dead
            lines = await asyncio.to_thread(file.lines)
            data = b"".join(render(line, rule) for line in map(parse, lines) if line and wanted(line, rule))
            if left is not None:
                data = data[:left]
                left -= len(data)
            if data:
                yield data
            if left == 0:
                return
            if lines:
                continue
            if await asyncio.to_thread(file.rotated):
                continue
            if not follow or not alive:
                return
            await asyncio.sleep(POLL_SECONDS)
    finally:
        file.close()
