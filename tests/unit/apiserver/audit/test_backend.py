"""The file backend: lines, rotation, what is lost."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kybern.apiserver.audit.backend import FileBackend
from kybern.apiserver.core.audit.rotation import Rotation

LOG = logging.getLogger("test")


class Now:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def first_bytes(folder: Path) -> list[bytes]:
    return sorted(file.read_bytes()[:1] for file in folder.iterdir())


async def write(backend: FileBackend, *batches: list[bytes]) -> None:
    task = asyncio.create_task(backend.run())
    for batch in batches:
        for line in batch:
            backend.take(line)
        await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    for _ in range(2):
        await write(FileBackend(str(path), Rotation(), Now(), LOG), [b"1", b"2"], [b"3"])
    assert path.read_bytes() == b"1\n2\n3\n" * 2
    assert path.stat().st_mode & 0o777 == 0o600


async def test_what_waits_at_the_end_is_written(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    backend = FileBackend(str(path), Rotation(), Now(), LOG)
    task = asyncio.create_task(backend.run())
    await asyncio.sleep(0)
    backend.take(b"last")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert path.read_bytes() == b"last\n"


async def test_full_files_are_put_aside_and_old_ones_go(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    backend = FileBackend(str(path), Rotation(megabytes=1, backups=2), Now(), LOG)
    await write(backend, *[[bytes([48 + number]) * 700_000] for number in range(5)])
    assert first_bytes(tmp_path) == [b"2", b"3", b"4"]
    assert path.read_bytes()[:1] == b"4"


async def test_a_folder_that_is_not_there_costs_events_not_requests(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backend = FileBackend(str(tmp_path / "no" / "audit.log"), Rotation(), Now(), LOG)
    await write(backend, [b"1", b"2"])
    assert backend.lost == 2
    assert "cannot be written" in caplog.text


def test_more_than_can_wait_is_lost() -> None:
    async def run() -> int:
        backend = FileBackend("/nowhere", Rotation(), Now(), LOG, most=2)
        for _ in range(5):
            backend.take(b"x")
        return backend.lost

    assert asyncio.run(run()) == 3


async def test_settled_is_written(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    backend = FileBackend(str(path), Rotation(), Now(), LOG)
    await backend.settled()  # nothing has been taken
    task = asyncio.create_task(backend.run())
    await asyncio.sleep(0)

    async def ask(line: bytes) -> bool:
        backend.take(line)
        await backend.settled()
        return line in path.read_bytes().splitlines()

    for _ in range(3):
        assert all(await asyncio.gather(*(ask(b"%d" % number) for number in range(20))))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    backend.take(b"late")
    await backend.settled()  # nobody writes any more
    assert b"late" not in path.read_bytes()


async def test_who_waits_at_the_end_goes_on(tmp_path: Path) -> None:
    backend = FileBackend(str(tmp_path / "audit.log"), Rotation(), Now(), LOG)
    task = asyncio.create_task(backend.run())
    await asyncio.sleep(0)
    backend.take(b"x")
    waiting = asyncio.create_task(backend.settled())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.wait_for(waiting, 1)
