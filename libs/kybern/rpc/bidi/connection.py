"""One HTTP/2 connection that carries one gRPC stream of whole messages, for either end.

What is sent goes to the socket at once as long as the peer's windows allow; messages that arrive go to `received` in
the loop's callback. Our ends have the widest windows and frames, so a message is one frame; peers that allow less get
less.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Any

from hpack import HPACKError

from kybern.rpc.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FIRST_FRAME,
    FIRST_WINDOW,
    HEAD,
    HEADERS,
    INITIAL_WINDOW,
    LARGEST_FRAME,
    MAX_FRAME,
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

MAX_MESSAGE = 64 << 20  # bytes
MAX_HEADERS = 2 << 20  # bytes
PREFIX = 5  # bytes before a message: compressed or not, length
WAITING = 1 << 20  # bytes in the transport after which no more should be sent


class Connection(asyncio.Protocol):
    """The frames of one connection; the ends say what headers and endings mean."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.transport: Any = None
        self._number = 0  # of the stream, once it is open
        self._received: Callable[[bytes], None] | None = None
        self._roomy: Callable[[], None] = lambda: None
        self._early: list[bytes] = []  # messages that came before anybody took them
        self._blocks = HeaderBlocks()
        self._block: tuple[int, int, bytes] | None = None  # headers that go on: stream, flags, so far
        self._buffer = bytearray()  # frames that are not whole yet
        self._message = bytearray()  # messages that are not whole yet
        self._unsent = bytearray()  # for lack of room in the peer's windows
        self._last = b""  # what follows when all is sent
        self._room = self._stream_room = self._first_room = FIRST_WINDOW
        self._frame = FIRST_FRAME
        self._unacknowledged = 0  # bytes received since our windows were last opened
        self._paused = False

    # What an Exchange needs (`kybern.rpc.exchange.link`)

    @property
    def writable(self) -> bool:
        """Whether a message would go out at once."""
        return not (self._paused or self._unsent or self.transport is None)

    def send(self, message: bytes) -> None:
        """Send a message, now or when there is room; nothing happens once the connection is lost."""
        size = len(message) + PREFIX
        prefix = b"\0" + (size - PREFIX).to_bytes(4, "big")
        if self.transport is None:
            return
        if self._unsent or size > self._frame or size > self._room or size > self._stream_room:
            self._unsent += prefix
            self._unsent += message
            self._send_on()
            return
        self._room -= size
        self._stream_room -= size
        self.transport.write(b"".join((frame(size, DATA, 0, self._number), prefix, message)))

    def pause(self) -> None:
        """Read no more for a while."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self.transport is not None:
            self.transport.resume_reading()

    def follow(self, received: Callable[[bytes], None], roomy: Callable[[], None]) -> None:
        """Hand over messages from now on, and say when one can send again."""
        self._received, self._roomy = received, roomy
        early, self._early = self._early, []
        for message in early:
            received(message)

    async def drained(self) -> None:
        """Nothing to wait for: the stream's end is sent after everything else."""

    # What the ends add

    def _headers(self, stream: int, headers: dict[str, str], ends: bool) -> None:
        raise NotImplementedError

    def _half_closed(self) -> None:
        raise NotImplementedError

    def _was_reset(self, code: int) -> None:
        raise NotImplementedError

    # The transport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=WAITING)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self.writable:
            self._roomy()

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

    def give_up(self, why: str) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def _close_with(self, last: bytes) -> None:
        """Send this after everything else, and close."""
        if self._unsent:
            self._last = last
        elif self.transport is not None:
            self.transport.write(last)
            self.transport.close()

    # Frames

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
                self._data(flags, stream, memoryview(buffer)[at + HEAD : following])
            else:
                self._control(kind, flags, stream, bytes(buffer[at + HEAD : following]))
            at = following
        return at

    def _data(self, flags: int, stream: int, payload: memoryview) -> None:
        if flags & PADDED:
            raise ValueError("padding")
        size = len(payload)
        self._unacknowledged += size
        if self._unacknowledged > WIDEST // 2:
            self._open_windows()
        if stream == self._number:
            if not self._message and size >= PREFIX and int.from_bytes(payload[1:PREFIX], "big") == size - PREFIX:
                self._take(payload[0], bytes(payload[PREFIX:]))  # a frame that is a message, as nearly all are
            else:
                self._message += payload
                self._cut()
            if flags & END_STREAM:
                self._half_closed()
        payload.release()

    def _cut(self) -> None:
        """Take the messages that are whole."""
        data, at, end = self._message, 0, len(self._message)
        while end - at >= PREFIX:
            size = int.from_bytes(data[at + 1 : at + PREFIX], "big")
            if size > MAX_MESSAGE:
                raise ValueError(f"a message of {size} bytes, more than {MAX_MESSAGE}")
            if end - at - PREFIX < size:
                break
            message = bytes(memoryview(data)[at + PREFIX : at + PREFIX + size])
            compressed, at = data[at], at + PREFIX + size
            self._take(compressed, message)
        del data[:at]

    def _take(self, compressed: int, message: bytes) -> None:
        if compressed:
            raise ValueError("a compressed message")
        if self._received is None:
            self._early.append(message)
        else:
            self._received(message)

    def _open_windows(self) -> None:
        more = self._unacknowledged.to_bytes(4, "big")
        self._unacknowledged = 0
        for stream in (0, self._number):
            self.transport.write(frame(4, WINDOW_UPDATE, 0, stream) + more)

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind in (HEADERS, CONTINUATION):
            self._join_headers(kind, flags, stream, payload)
        elif kind == WINDOW_UPDATE:
            more = int.from_bytes(payload, "big") & WIDEST
            if not stream:
                self._room += more
            elif stream == self._number:
                self._stream_room += more
            self._send_on()
        elif kind == SETTINGS and not flags & ACK:
            self._settings(payload)
        elif kind == PING and not flags & ACK:
            self.transport.write(frame(8, PING, ACK, 0) + payload)
        elif kind == RST_STREAM and stream == self._number:
            self._was_reset(int.from_bytes(payload, "big"))

    def _settings(self, payload: bytes) -> None:
        for setting, value in struct.iter_unpack(">HI", payload):
            if setting == INITIAL_WINDOW:
                self._stream_room += value - self._first_room
                self._first_room = value
            elif setting == MAX_FRAME:
                self._frame = min(max(value, FIRST_FRAME), LARGEST_FRAME)
        self.transport.write(frame(0, SETTINGS, ACK, 0))
        self._send_on()

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

    def _send_on(self) -> None:
        """Send what the peer's windows have room for."""
        if self.transport is None or not self._unsent:
            return
        sent, end = 0, len(self._unsent)
        while sent < end:
            size = min(end - sent, self._frame, self._room, self._stream_room)
            if size <= 0:
                break
            self._room -= size
            self._stream_room -= size
            with memoryview(self._unsent) as unsent:
                self.transport.write(frame(size, DATA, 0, self._number) + unsent[sent : sent + size])
            sent += size
        del self._unsent[:sent]
        if self._unsent:
            return
        if self._last:
            self._close_with(self._last)
        elif self.writable:
            self._roomy()
