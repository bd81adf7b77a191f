"""Profiles as `go tool pprof` reads them."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from kybern.telemetry.pprof import profile

INNER, OUTER = ("work", "/a.py", 3), ("main", "/a.py", 9)
PROCESSES = {"gateway": {(INNER, OUTER): 30_000_000}, "apiserver": {(INNER,): 10_000_000, (OUTER,): 4_000_000}}


def fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """A message, read without knowing it."""
    found: list[tuple[int, int | bytes]] = []
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            found.append((tag >> 3, varint()))
        else:
            size = varint()
            found.append((tag >> 3, data[at : at + size]))
            at += size
    return found


def test_stacks_are_told_with_their_process_outermost() -> None:
    message = fields(gzip.decompress(profile(PROCESSES, 100, 1_700_000_000, 5)))
    texts = [value.decode() for number, value in message if number == 6 and isinstance(value, bytes)]
    functions = {}
    for number, value in message:
        if number == 5 and isinstance(value, bytes):
            found = dict(fields(value))
            functions[found[1]] = texts[int(found[2])]
    places = {}
    for number, value in message:
        if number == 4 and isinstance(value, bytes):
            found = dict(fields(value))
            line = found[4]
            assert isinstance(line, bytes)
            places[found[1]] = functions[dict(fields(line))[1]]
    samples = []
    for number, value in message:
        if number == 2 and isinstance(value, bytes):
            stack, counts = (bytes(part) for _, part in fields(value) if isinstance(part, bytes))
            samples.append([places[one] for one in stack])
            assert counts
    assert samples == [["work", "main", "gateway"], ["work", "apiserver"], ["main", "apiserver"]]
    assert texts[0] == ""
    assert dict(message)[10] == 5_000_000_000


@pytest.mark.skipif(shutil.which("go") is None, reason="needs go")
def test_go_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "profile"
    file.write_bytes(profile(PROCESSES, 100, 1_700_000_000, 5))
    shown = subprocess.run(
        ["go", "tool", "pprof", "-top", "-symbolize=none", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "pprof" in shown.stderr and "no such tool" in shown.stderr:
        pytest.skip("this go has no pprof")
    assert shown.returncode == 0, shown.stderr
    assert "Total samples = 44ms" in shown.stdout
    assert {line.split()[-1] for line in shown.stdout.splitlines()[4:]} >= {"work", "main", "gateway", "apiserver"}
