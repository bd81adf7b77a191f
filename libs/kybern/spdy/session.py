"""SPDY/3.1 framing, as much of it as Kubernetes' streams use: open, answer, data, end, reset, ping, goodbye.

A `Session` is fed bytes and gives events; its methods give bytes to send. It does no I/O. There is no flow control:
the other end (moby/spdystream) has none either.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kybern.spdy.dictionary import DICTIONARY

VERSION = 3
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN = 0x01
CONTROL = 0x8000
STREAM_ID = 0x7FFFFFFF
MAX_FRAME = 1 << 24
REFUSED_STREAM, INTERNAL_ERROR = 3, 6
MAX_HEADERS = 1 << 20  # bytes of one header block, decompressed


class SpdyError(Exception):
    """Bytes that are not SPDY/3.1; the session cannot go on."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The other end opened a stream."""

    stream: int
    headers: dict[str, str]
    finished: bool


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes on a stream; `finished` when no more will come."""

    stream: int
    data: bytes
    finished: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """The other end dropped a stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class Pinged:
    """Answer with `Session.ping(id)`."""

    id: int


@dataclass(frozen=True, slots=True)
class GoneAway:
    """The other end opens no more streams."""


Event = Opened | Data | Reset | Pinged | GoneAway


class Session:
    """One end of a SPDY connection; a client opens odd streams, a server even ones."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def receive(self, data: bytes) -> Iterator[Event]:
        """The events that these bytes complete. Raises SpdyError."""
        self._buffer += data
        while len(self._buffer) >= 8:
            first, second = struct.unpack_from(">II", self._buffer)
            length = second & 0xFFFFFF
            if len(self._buffer) < 8 + length:
                return
            payload = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            yield from self._frame(first, second >> 24, payload)

    def _frame(self, first: int, flags: int, payload: bytes) -> Iterator[Event]:
        if not first >> 31:
            yield Data(first & STREAM_ID, payload, bool(flags & FIN))
            return
        if first >> 16 & 0x7FFF != VERSION:
            raise SpdyError(f"SPDY version {first >> 16 & 0x7FFF}, expected {VERSION}")
        try:
            match first & 0xFFFF:
                case 1:
                    (stream,) = struct.unpack_from(">I", payload)
                    yield Opened(stream & STREAM_ID, self._read_headers(payload[10:]), bool(flags & FIN))
                case 2 | 8 as kind:
                    self._read_headers(payload[4:])  # keeps the shared compression state right
                    if flags & FIN:
                        (stream,) = struct.unpack_from(">I", payload)
                        yield Data(stream & STREAM_ID, b"", True)
                    assert kind in (SYN_REPLY, HEADERS)
                case 3:
                    yield Reset(struct.unpack_from(">I", payload)[0] & STREAM_ID)
                case 6:
                    yield Pinged(struct.unpack_from(">I", payload)[0])
                case 7:
                    yield GoneAway()
        except struct.error:
            raise SpdyError("a frame is too short") from None

    def _read_headers(self, block: bytes) -> dict[str, str]:
        try:
            raw = self._inflate.decompress(block, MAX_HEADERS)
            (count,) = struct.unpack_from(">I", raw)
            at, headers = 4, {}
            for _ in range(count):
                name, at = _string(raw, at)
                value, at = _string(raw, at)
                headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        except (zlib.error, struct.error) as wrong:
            raise SpdyError(f"a header block cannot be read: {wrong}") from None
        return headers

    def reply(self, stream: int, headers: Mapping[str, str] | None = None, *, finished: bool = False) -> bytes:
        """Accept a stream."""
        return _control(SYN_REPLY, FIN if finished else 0, struct.pack(">I", stream) + self._headers(headers or {}))

    def open(self, stream: int, headers: Mapping[str, str], *, finished: bool = False) -> bytes:
        """Open a stream; ids of a client are odd, of a server even."""
        head = struct.pack(">IIH", stream, 0, 0)
        return _control(SYN_STREAM, FIN if finished else 0, head + self._headers(headers))

    def data(self, stream: int, data: bytes, *, finished: bool = False) -> bytes:
        flags = FIN if finished else 0
        return struct.pack(">II", stream, flags << 24 | len(data)) + data

    def reset(self, stream: int, status: int = REFUSED_STREAM) -> bytes:
        return _control(RST_STREAM, 0, struct.pack(">II", stream, status))

    def ping(self, ping_id: int) -> bytes:
        return _control(PING, 0, struct.pack(">I", ping_id))

    def goaway(self, last: int = 0, status: int = 0) -> bytes:
        return _control(GOAWAY, 0, struct.pack(">II", last, status))

    def _headers(self, headers: Mapping[str, str]) -> bytes:
        raw = bytearray(struct.pack(">I", len(headers)))
        for pair in headers.items():
            for text in pair:
                encoded = text.encode("latin-1")
                raw += struct.pack(">I", len(encoded)) + encoded
        return self._deflate.compress(bytes(raw)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def _control(kind: int, flags: int, payload: bytes) -> bytes:
    return struct.pack(">HHI", CONTROL | VERSION, kind, flags << 24 | len(payload)) + payload


def _string(raw: bytes, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from(">I", raw, at)
    end = at + 4 + length
    if end > len(raw):
        raise SpdyError("a header block is cut short")
    return raw[at + 4 : end], end
