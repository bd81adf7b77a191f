"""One gRPC stream of whole messages on a connection of its own, for either end.

What is sent goes to the socket at once as long as the peer's windows allow; messages that arrive go to `received` in
the loop's callback. Our ends have the widest windows and frames, so a message is one frame; peers that allow less get
less.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from kybern.rpc.http2.connection import Http2Connection
from kybern.rpc.http2.frames import DATA, frame

MAX_MESSAGE = 64 << 20  # bytes
PREFIX = 5  # bytes before a message: compressed or not, length
WAITING = 1 << 20  # bytes in the transport after which no more should be sent


class MessageStream(Http2Connection):
    """A link (`kybern.rpc.exchange.link`) but for `run`: the ends know how a stream ends."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._number = 0  # of the stream, once it is open
        self._received_by: Callable[[bytes], None] | None = None
        self._roomy: Callable[[], None] = lambda: None
        self._early: list[bytes] = []  # messages that came before anybody took them
        self._message = bytearray()  # messages that are not whole yet
        self._unsent = bytearray()  # for lack of room in the peer's windows
        self._last = b""  # what follows when all is sent
        self._granted = 0  # bytes that the stream may have more than a new one, those sent taken off
        self._paused = False

    @property
    def writable(self) -> bool:
        """Whether a message would go out at once."""
        return not (self._paused or self._unsent or self.transport is None)

    def send(self, message: bytes) -> None:
        """Send a message, now or when there is room; nothing happens once the connection is lost."""
        if self.transport is None:
            return
        size = len(message) + PREFIX
        prefix = b"\0" + (size - PREFIX).to_bytes(4, "big")
        if self._unsent or size > self._most():
            self._unsent += prefix
            self._unsent += message
            self._send_on()
            return
        self._room -= size
        self._granted -= size
        self.transport.write(b"".join((frame(size, DATA, 0, self._number), prefix, message)))

    def pause(self) -> None:
        """Read no more for a while."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self.transport is not None:
            self.transport.resume_reading()

    async def drained(self) -> None:
        """Nothing to wait for: the stream's end is sent after everything else."""

    def follow(self, received: Callable[[bytes], None], roomy: Callable[[], None]) -> None:
        """Hand over messages from now on, and say when one can send again."""
        self._received_by, self._roomy = received, roomy
        early, self._early = self._early, []
        for message in early:
            received(message)

    @abstractmethod
    def _half_closed(self) -> None:
        """The peer sends no more."""

    def _close_with(self, last: bytes) -> None:
        """Send this after everything else, and close."""
        if self._unsent:
            self._last = last
        elif self.transport is not None:
            self.transport.write(last)
            self.transport.close()

    # The transport

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=WAITING)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self.writable:
            self._roomy()

    # Frames

    def _most(self) -> int:
        """Bytes that one frame may have just now."""
        return min(self._frame, self._room, self._first_room + self._granted)

    def _more_room(self, stream: int, size: int) -> None:
        if stream and stream == self._number:
            self._granted += size
        self._send_on()

    def _send_on(self) -> None:
        """Send what the peer's windows have room for."""
        if self.transport is None or not self._unsent:
            return
        sent, end = 0, len(self._unsent)
        while sent < end and (size := min(end - sent, self._most())) > 0:
            self._room -= size
            self._granted -= size
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

    def _data(self, stream: int, payload: memoryview, ends: bool) -> None:
        if stream != self._number:
            return
        size = len(payload)
        if not self._message and size >= PREFIX and int.from_bytes(payload[1:PREFIX], "big") == size - PREFIX:
            self._take(payload[0], bytes(payload[PREFIX:]))  # a frame that is a message, as nearly all are
        else:
            self._message += payload
            self._cut()
        if ends:
            self._half_closed()

    def _cut(self) -> None:
        """Take the messages that are whole."""
        data, at, end = self._message, 0, len(self._message)
        while end - at >= PREFIX:
            size = int.from_bytes(data[at + 1 : at + PREFIX], "big")
            if size > MAX_MESSAGE:
                raise ValueError(f"a message of {size} bytes, more than {MAX_MESSAGE}")
            if end - at - PREFIX < size:
                break
            with memoryview(data) as view:
                message = bytes(view[at + PREFIX : at + PREFIX + size])
            compressed, at = data[at], at + PREFIX + size
            self._take(compressed, message)
        del data[:at]

    def _take(self, compressed: int, message: bytes) -> None:
        if compressed:
            raise ValueError("a compressed message")
        if self._received_by is None:
            self._early.append(message)
        else:
            self._received_by(message)
