"""The frames of one HTTP/2 connection, for either end: taken apart, answered where the protocol asks for it.

Subclasses say what data, headers and endings mean. Peers that do not speak HTTP/2 are given up.
"""

import asyncio
import struct
from abc import ABC, abstractmethod
from typing import Any

from hpack import HPACKError

from kybern.rpc.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FIRST_FRAME,
    FIRST_WINDOW,
    GOAWAY,
    HEAD,
    HEADERS,
    INITIAL_WINDOW,
    LARGEST_FRAME,
    MAX_FRAME,
    MAX_STREAMS,
    PADDED,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WIDEST,
    WINDOW_UPDATE,
    HeaderBlocks,
    frame,
)

MAX_HEADERS = 2 << 20  # bytes


class Http2Connection(asyncio.Protocol, ABC):
    """See the module's docstring. Our own windows are opened again as they are used."""

    def __init__(self) -> None:
        self.transport: Any = None  # None: not connected, or lost
        self._buffer = bytearray()  # frames that are not whole yet
        self._blocks = HeaderBlocks()
        self._block: tuple[int, int, bytes] | None = None  # headers that go on: stream, flags, so far
        self._received = 0  # bytes since our window was last opened
        self._room = self._first_room = FIRST_WINDOW  # bytes that we may send: in all, and in a new stream
        self._frame = FIRST_FRAME  # bytes, the longest that the peer takes
        self._streams = 100  # how many the peer allows

    # What subclasses add

    @abstractmethod
    def _data(self, stream: int, payload: memoryview, ends: bool) -> None:
        """What a stream carries; `ends`: the peer sends no more over it."""

    @abstractmethod
    def _headers(self, stream: int, headers: dict[str, str], ends: bool) -> None:
        """Headers or trailers of a stream."""

    @abstractmethod
    def _was_reset(self, stream: int, code: int) -> None:
        """The peer has given a stream up."""

    def _more_room(self, stream: int, size: int) -> None:
        """The peer takes more bytes: of a stream, or (0) than its windows or settings said."""

    def _settled(self) -> None:
        """The peer's settings are known."""

    def _going_away(self) -> None:
        """The peer takes no further stream."""

    def give_up(self, why: str) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    # The transport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        buffer: bytes | bytearray = data
        if self._buffer:
            self._buffer += data
            buffer = self._buffer
        try:
            used = self._read(buffer)
        except (HPACKError, ValueError, IndexError, struct.error) as error:
            self.give_up(f"what the peer sends is not understood: {error}")
            return
        if buffer is self._buffer:
            del buffer[:used]
        elif used < len(buffer):
            self._buffer += memoryview(buffer)[used:]

    def _read(self, buffer: bytes | bytearray) -> int:
        """Take the frames that are whole; where they end."""
        at, end = 0, len(buffer)
        while end - at >= HEAD:
            length = int.from_bytes(buffer[at : at + 3], "big")
            following = at + HEAD + length
            if following > end:
                break
            kind, flags = buffer[at + 3], buffer[at + 4]
            stream = int.from_bytes(buffer[at + 5 : at + HEAD], "big") & WIDEST
            if kind == DATA:
                if flags & PADDED:
                    raise ValueError("padding")
                self._received += length
                if self._received > WIDEST // 2:
                    self._open_windows(stream)
                with memoryview(buffer) as view:
                    self._data(stream, view[at + HEAD : following], bool(flags & END_STREAM))
            else:
                self._control(kind, flags, stream, bytes(buffer[at + HEAD : following]))
            at = following
        return at

    def _open_windows(self, stream: int) -> None:
        more, self._received = self._received.to_bytes(4, "big"), 0
        for number in (0, stream):
            self.transport.write(frame(4, WINDOW_UPDATE, 0, number) + more)

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind in (HEADERS, CONTINUATION):
            self._join_headers(kind, flags, stream, payload)
        elif kind == WINDOW_UPDATE:
            size = int.from_bytes(payload, "big") & WIDEST
            if not stream:
                self._room += size
            self._more_room(stream, size)
        elif kind == SETTINGS and not flags & ACK:
            self._settings(payload)
        elif kind == PING and not flags & ACK:
            self.transport.write(frame(8, PING, ACK, 0) + payload)
        elif kind == RST_STREAM:
            self._was_reset(stream, int.from_bytes(payload, "big"))
        elif kind == GOAWAY:
            self._going_away()

    def _settings(self, payload: bytes) -> None:
        for setting, value in struct.iter_unpack(">HI", payload):
            if setting == INITIAL_WINDOW:
                self._first_room = value
            elif setting == MAX_FRAME:
                self._frame = min(max(value, FIRST_FRAME), LARGEST_FRAME)
            elif setting == MAX_STREAMS:
                self._streams = value
        self._settled()
        self.transport.write(frame(0, SETTINGS, ACK, 0))
        self._more_room(0, 0)

    def _join_headers(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == HEADERS:
            if flags & PADDED:
                payload = payload[1 : len(payload) - payload[0]]
            if flags & PRIORITY:
                payload = payload[5:]
            first = flags
        elif self._block is not None and self._block[0] == stream:
            first, payload = self._block[1], self._block[2] + payload
        else:
            raise ValueError("a continuation of nothing")
        if len(payload) > MAX_HEADERS:
            raise ValueError("too many headers")
        self._block = None if flags & END_HEADERS else (stream, first, payload)
        if self._block is None:
            self._headers(stream, self._blocks.decode(payload), bool(first & END_STREAM))
