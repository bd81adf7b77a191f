"""The CRI log format: one line per write, `<RFC 3339 nano> <stdout|stderr> <F|P> <text>`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from kybern.kube.meta import parse_time


@dataclass(frozen=True, slots=True)
class Line:
    """One parsed line; a partial one (P) goes on in the next, and its text has no line end."""

    stamp: bytes
    stream: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines a reader wants, and how they look."""

    since: datetime | None = None
    stream: str = ""  # stdout, stderr; "" is both
    timestamps: bool = False


def parse(raw: bytes) -> Line | None:
    """A line (without or with its end); None for what is not in the format."""
    parts = raw.rstrip(b"\n").split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr"):
        return None
    text = parts[3] if len(parts) == 4 else b""
    partial = parts[2].split(b":")[0] == b"P"
    return Line(parts[0], parts[1].decode(), text if partial else text + b"\n")


def wanted(line: Line, rule: Filter) -> bool:
    if rule.stream and line.stream != rule.stream:
        return False
    if rule.since is None:
        return True
    try:
        moment = parse_time(line.stamp.decode())
    except ValueError:
        return True
    return moment is None or moment >= rule.since


def render(line: Line, rule: Filter) -> bytes:
    return line.stamp + b" " + line.text if rule.timestamps else line.text


def select(raw_lines: Iterable[bytes], rule: Filter, tail: int | None = None) -> list[bytes]:
    """The lines a reader gets; `tail` counts lines of the file, as the kubelet does. None means all."""
    lines = list(raw_lines)
    if tail is not None:
        lines = lines[-tail:] if tail > 0 else []
    parsed = (parse(raw) for raw in lines)
    return [render(line, rule) for line in parsed if line is not None and wanted(line, rule)]


def tail_message(raw: bytes, limit: int, lines: int) -> str:
    """The end of a log as a termination message: at most so many lines and bytes."""
    chosen = b"".join(select(raw.splitlines(keepends=True)[-lines:], Filter()))
    return chosen[-limit:].decode(errors="replace")


def format_line(stamp: str, stream: str, text: str) -> bytes:
    """One line as a runtime writes it."""
    return f"{stamp} {stream} F {text}\n".encode()
