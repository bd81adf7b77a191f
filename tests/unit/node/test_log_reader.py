"""Reading logs from files: tails of any length, rotation, and following to the end."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.node import log_reader
from kybern.node.core.log_format import Filter, format_line
from kybern.node.log_reader import read_log, tail_offset

STAMP = "2026-01-01T00:00:00.000000000Z"


@given(st.lists(st.text("ab", max_size=5), max_size=12), st.integers(0, 15), st.integers(1, 7))
def test_tail_is_the_last_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], tail: int, chunk: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "f"
    path.write_text("".join(f"{line}\n" for line in lines))
    old, log_reader.CHUNK = log_reader.CHUNK, chunk
    try:
        with path.open("rb") as file:
            file.seek(tail_offset(file, tail))
            assert file.read().decode().splitlines() == (lines[-tail:] if tail else [])
    finally:
        log_reader.CHUNK = old


async def collect(path: Path, **options: object) -> bytes:
    return b"".join([data async for data in read_log(path, Filter(), **options)])  # type: ignore[arg-type]


async def test_limit_and_tail(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(b"".join(format_line(STAMP, "stdout", f"line {i}") for i in range(5)))
    assert await collect(path, tail=2) == b"line 3\nline 4\n"
    assert await collect(path, limit=9) == b"line 0\nli"


async def test_follow_through_rotation(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(format_line(STAMP, "stdout", "old"))
    alive = True
    reading = asyncio.create_task(collect(path, follow=True, running=lambda: alive))
    await asyncio.sleep(0.15)
    with path.open("ab") as file:
        file.write(format_line(STAMP, "stdout", "last of old"))
    path.rename(tmp_path / "0.log.1")
    path.write_bytes(format_line(STAMP, "stdout", "new"))
    await asyncio.sleep(0.25)
    with path.open("ab") as file:
        file.write(format_line(STAMP, "stdout", "end"))
    alive = False
    assert await reading == b"old\nlast of old\nnew\nend\n"
