"""What HTTP/1.1 says in lines: heads of answers, and the words of requests that came before."""

from __future__ import annotations

from kybern.gateway.http.handler import Said
from kybern.gateway.http.message import REASONS, Headers

GET, POST, VERSION, END = b"GET ", b"POST ", b" HTTP/1.1", b"\r\n\r\n"
LENGTH = b"\r\nContent-Length: "  # as Go, Python and C clients write it
LONGEST_GET, LONGEST_POST = 8 << 10, 64 << 10  # bytes of a request worth remembering
_STATUS_LINES = {code: f"HTTP/1.1 {code} {phrase}\r\n".encode() for code, phrase in REASONS.items()}


def status_line(code: int, reason: bytes = b"") -> bytes:
    if reason:
        return b"HTTP/1.1 %d %b\r\n" % (code, reason)
    return _STATUS_LINES.get(code) or f"HTTP/1.1 {code} Unknown\r\n".encode()


def head_lines(status: int, headers: Headers, reason: bytes = b"") -> bytes:
    """Status line and headers, without the empty line that ends them."""
    parts = [status_line(status, reason)]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    return b"".join(parts)


def said_in(received: bytes) -> Said | None:
    """The words of a request's bytes, if they are worth remembering."""
    if received.startswith(POST):
        parts = split(received)
        return Said(b"", parts[0]) if parts is not None else None
    line, break_, rest = received.partition(b"\r\n")
    alone = received.find(END) == len(received) - len(END) and len(received) <= LONGEST_GET
    return Said(line, break_ + rest) if alone and line.startswith(GET) and line.endswith(VERSION) else None


def split(data: bytes) -> tuple[bytes, bytes] | None:
    """Line and headers without the length, and the body; None unless the bytes are exactly one request."""
    end = data.find(END)
    if end < 0 or len(data) > LONGEST_POST:
        return None
    at = data.find(LENGTH, 0, end)
    if at < 0:
        return None
    after = data.find(b"\r\n", at + len(LENGTH), end + 2)
    body = data[end + len(END) :]
    if data[at + len(LENGTH) : after] != b"%d" % len(body):
        return None
    return data[:at] + data[after:end], body
