"""Frames as they come from a client: cut out of its bytes, their sizes and order checked, header blocks put together.

What they mean is the connection's. Padding and priorities are taken off here.
"""

from __future__ import annotations

import struct
from typing import Protocol

from kybern.gateway.http.http2.violations import Code, ConnectionViolation, StreamViolation
from kybern.gateway.http.message import MAX_HEADERS
from kybern.rpc.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEAD,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WIDEST,
    WINDOW_UPDATE,
)

PRIORITY_FRAME, PUSH_PROMISE = 2, 5
LARGEST = 1 << 18  # bytes of a frame, as kube-apiserver says
MAX_BLOCK = MAX_HEADERS + 320  # bytes of a header block
SIZES = {PRIORITY_FRAME: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}
OF_STREAMS = frozenset((DATA, HEADERS, PRIORITY_FRAME, RST_STREAM, CONTINUATION))
OF_CONNECTION = frozenset((SETTINGS, PING, GOAWAY))
_unpack = struct.Struct(">IBI").unpack_from  # length and kind, flags, stream


class Receiver(Protocol):
    """What frames are for."""

    def data(self, number: int, payload: bytes, ends: bool, size: int) -> None:
        """`size`: bytes that count in windows."""

    def headers(self, number: int, block: bytes, ends: bool) -> None: ...

    def reset(self, number: int) -> None: ...

    def wider(self, number: int, more: int) -> None: ...

    def settings(self, payload: bytes) -> None: ...

    def ping(self, payload: bytes) -> None: ...

    def going_away(self) -> None: ...

    def violated(self, violation: StreamViolation) -> None: ...


class FrameReader:
    """`feed` raises ConnectionViolation."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._buffer, self._needed = bytearray(), 0  # a frame that is not whole, and how long it will be
        self._greeted = self._settled = False
        self._block: tuple[int, bool, list[bytes]] | None = None  # a header block that goes on: stream, ends, so far
        self._block_size = 0

    @property
    def between(self) -> bool:
        """Whether no part of a frame or header block waits for the rest."""
        return self._settled and self._block is None and not self._buffer

    def feed(self, data: bytes) -> None:
        """Bytes from the network."""
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        at, end = 0, len(data)
        if not self._greeted:
            at = self._greet(data)
            if not at:
                self._buffer += data
                return
        while end - at >= HEAD:
            sized, flags, number = _unpack(data, at)
            following = at + HEAD + (sized >> 8)
            if sized >> 8 > LARGEST:
                raise ConnectionViolation(Code.FRAME_SIZE_ERROR, "a frame that is too long")
            if following > end:
                self._needed = following - at
                break
            self._frame(sized & 0xFF, flags, number & WIDEST, data[at + HEAD : following])
            at = following
        else:
            self._needed = HEAD
        if at < end:
            self._buffer += memoryview(data)[at:]

    def _greet(self, data: bytes) -> int:
        """Pass over the preface: where it ends, 0 if it is not whole yet."""
        if not data.startswith(PREFACE):
            if not PREFACE.startswith(data):
                raise ConnectionViolation(Code.PROTOCOL_ERROR, "no preface")
            self._needed = len(PREFACE)
            return 0
        self._greeted = True
        return len(PREFACE)

    def _frame(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if not self._settled:
            if kind != SETTINGS or flags & ACK:
                raise ConnectionViolation(Code.PROTOCOL_ERROR, "no SETTINGS")
            self._settled = True
        if (self._block is not None) != (kind == CONTINUATION):
            raise ConnectionViolation(Code.PROTOCOL_ERROR, "a header block is not whole, or there is none")
        if (not number and kind in OF_STREAMS) or (number and kind in OF_CONNECTION):
            raise ConnectionViolation(Code.PROTOCOL_ERROR, "a frame for the wrong stream")
        try:
            self._take(kind, flags, number, payload)
        except StreamViolation as violation:
            self._receiver.violated(violation)

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == HEADERS:
            self._headers(flags, number, payload)
        elif kind == DATA:
            size = len(payload)
            if flags & PADDED:
                payload = unpadded(payload)
            self._receiver.data(number, payload, bool(flags & END_STREAM), size)
        elif kind == CONTINUATION:
            self._continue(flags, number, payload)
        elif SIZES.get(kind, len(payload)) != len(payload):
            raise self._of_wrong_size(kind, number)
        elif kind == WINDOW_UPDATE:
            self._receiver.wider(number, int.from_bytes(payload, "big") & WIDEST)
        elif kind == RST_STREAM:
            self._receiver.reset(number)
        elif kind == SETTINGS:
            self._settings(flags, payload)
        elif kind == PING:
            if not flags & ACK:
                self._receiver.ping(payload)
        elif kind == PRIORITY_FRAME:
            check_priority(number, payload)
        elif kind == GOAWAY:
            self._receiver.going_away()
        elif kind == PUSH_PROMISE:
            raise ConnectionViolation(Code.PROTOCOL_ERROR, "a client does not push")

    def _of_wrong_size(self, kind: int, number: int) -> Exception:
        if kind == PRIORITY_FRAME:
            return StreamViolation(number, Code.FRAME_SIZE_ERROR)
        return ConnectionViolation(Code.FRAME_SIZE_ERROR, "a frame of a wrong size")

    def _settings(self, flags: int, payload: bytes) -> None:
        if len(payload) % 6 or (flags & ACK and payload):
            raise ConnectionViolation(Code.FRAME_SIZE_ERROR, "SETTINGS of a wrong size")
        if not flags & ACK:
            self._receiver.settings(payload)

    def _headers(self, flags: int, number: int, payload: bytes) -> None:
        if flags & PADDED:
            payload = unpadded(payload)
        if flags & PRIORITY:
            if len(payload) < 5:
                raise ConnectionViolation(Code.FRAME_SIZE_ERROR, "a priority that is not there")
            fields, payload = payload[:5], payload[5:]
        ends = bool(flags & END_STREAM)
        if flags & END_HEADERS:
            self._receiver.headers(number, payload, ends)
        else:
            self._block, self._block_size = (number, ends, [payload]), len(payload)
        if flags & PRIORITY:
            check_priority(number, fields)

    def _continue(self, flags: int, number: int, payload: bytes) -> None:
        assert self._block is not None
        first, ends, parts = self._block
        if number != first:
            raise ConnectionViolation(Code.PROTOCOL_ERROR, "a continuation of another header block")
        parts.append(payload)
        self._block_size += len(payload) + HEAD
        if self._block_size > MAX_BLOCK:
            raise ConnectionViolation(Code.PROTOCOL_ERROR, "too many headers")
        if flags & END_HEADERS:
            self._block = None
            self._receiver.headers(number, b"".join(parts), ends)


def unpadded(payload: bytes) -> bytes:
    """Raises ConnectionViolation."""
    if not payload or payload[0] >= len(payload):
        raise ConnectionViolation(Code.PROTOCOL_ERROR, "more padding than there is")
    return payload[1 : len(payload) - payload[0]]


def check_priority(number: int, fields: bytes) -> None:
    """Priorities mean nothing any more, but a stream cannot depend on itself. Raises StreamViolation."""
    if int.from_bytes(fields[:4], "big") & WIDEST == number:
        raise StreamViolation(number, Code.PROTOCOL_ERROR)
