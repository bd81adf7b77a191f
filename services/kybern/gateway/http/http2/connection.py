"""One client that speaks HTTP/2: frames in, a stream for each request, answers out in turns.

A request runs as one task, or none, and is cancelled when the client gives up its stream or the connection. Streams
that were given up count as long as work for them goes on, and giving up many of them ends the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hpack.exceptions import HPACKError, OversizedHeaderListError

from kybern.gateway.core.budget import Budget
from kybern.gateway.core.patience import Silent, State
from kybern.gateway.http.client import Client
from kybern.gateway.http.closed import CLOSED
from kybern.gateway.http.front_proxy import FrontProxies
from kybern.gateway.http.handler import Handler
from kybern.gateway.http.http2.fields import NO_PSEUDO, Fields, Malformed, Requests
from kybern.gateway.http.http2.framing import LARGEST, FrameReader
from kybern.gateway.http.http2.outlet import Outlet
from kybern.gateway.http.http2.settings import HEADER_LIST, checked, our_settings
from kybern.gateway.http.http2.stream import WINDOW, Stream
from kybern.gateway.http.http2.violations import Code, ConnectionViolation, StreamViolation
from kybern.rpc.http2.blocks import NO_TABLE
from kybern.rpc.http2.decoder import TableDecoder
from kybern.rpc.http2.frames import (
    ACK,
    FIRST_WINDOW,
    GOAWAY,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW,
    MAX_FRAME,
    PING,
    RST_STREAM,
    SETTINGS,
    WIDEST,
    WINDOW_UPDATE,
    frame,
)

STREAMS = 100  # at once, as kube-apiserver says
GIVEN_UP_PER_SECOND, GIVEN_UP_AT_ONCE = 100, 1000  # streams without an answer
LINGER = 0.5  # seconds
ENDED = 1024  # streams ended from here, for which something may be on its way still


class Connection(Client):
    """`streams` of requests that are not answered; `leaving`: those that are gone while their task is not. `parts`,
    asked once per request, says whether the client shall ask for what follows on another connection."""

    def __init__(
        self,
        handler: Handler,
        open_connections: set[Client],
        proxies: FrontProxies | None = None,
        max_streams: int = 0,
        parts: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__(handler, open_connections, proxies)
        self.streams: dict[int, Stream] = {}
        self.leaving: set[Stream] = set()
        self.outlet = Outlet(self.loop)
        self._reader = FrameReader(self)
        self._decoder: TableDecoder[Fields | Malformed] = TableDecoder(Requests().of, 2 * HEADER_LIST)
        self._max_streams = max_streams or STREAMS
        self._parts = parts
        self._in_room = self._window = WINDOW * self._max_streams  # bytes of all bodies that may come
        self._newest = 0  # stream
        self._going = False  # no further stream is taken
        self._received = 0  # bytes
        self._given_up = Budget(GIVEN_UP_PER_SECOND, GIVEN_UP_AT_ONCE)
        self._ended: dict[int, None] = {}

    # The transport's side

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.outlet.transport = transport
        self.outlet.write(our_settings(self._max_streams, WINDOW))
        self.open_window(0, self._window - FIRST_WINDOW)

    def data_received(self, data: bytes) -> None:
        if self.closing:
            return
        self._received += len(data)
        try:
            self._reader.feed(data)
        except ConnectionViolation as violation:
            self._leave(violation.code, str(violation))
            self._drop()
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._drop()

    def _drop(self) -> None:
        """Nobody waits for an answer any more."""
        for stream in list(self.streams.values()):
            stream.lost()
        for stream in self.leaving:
            if stream.task is not None and not stream.task.cancelling():
                stream.task.cancel()
        if self.transport is CLOSED:
            self.outlet.clear()

    def pause_writing(self) -> None:
        self.outlet.pause()

    def resume_writing(self) -> None:
        self.outlet.resume()

    def close(self) -> None:
        self.outlet.flush()
        super().close()

    # The reader's side

    def headers(self, number: int, block: bytes, ends: bool) -> None:
        """A request begins, or ends. Raises ConnectionViolation, StreamViolation."""
        try:
            fields = self._decoder.decode(block)
        except OversizedHeaderListError as error:
            raise ConnectionViolation(Code.PROTOCOL_ERROR, str(error)) from None
        except HPACKError as error:
            raise ConnectionViolation(Code.COMPRESSION_ERROR, str(error)) from None
        stream = self.streams.get(number)
        if stream is not None:
            stream.trailers(fields is NO_PSEUDO, ends)
            return
        if number <= self._newest or not number & 1:
            if number not in self._ended:
                code = Code.STREAM_CLOSED if number & 1 else Code.PROTOCOL_ERROR
                raise ConnectionViolation(code, "headers of a stream that is no new one")
            return
        self._newest = number
        if self._going:
            return
        if isinstance(fields, Malformed):
            raise StreamViolation(number, Code.PROTOCOL_ERROR)
        if len(self.streams) + len(self.leaving) >= self._max_streams:
            raise StreamViolation(number, Code.REFUSED_STREAM)
        parting = self._parts is not None and self._parts()
        stream = self.streams[number] = Stream(self, number, fields, parting)
        stream.open(ends)

    def data(self, number: int, payload: bytes, ends: bool, size: int) -> None:
        """A part of a body. Raises ConnectionViolation, StreamViolation."""
        self._in_room -= size
        if self._in_room < 0:
            raise ConnectionViolation(Code.FLOW_CONTROL_ERROR, "more than the window")
        if self._in_room < self._window // 2:
            self.open_window(0, self._window - self._in_room)
            self._in_room = self._window
        stream = self.streams.get(number)
        if stream is not None and not stream.heard:
            stream.data(payload, ends, size)
            return
        self._check_known(number)
        if number not in self._ended:
            raise StreamViolation(number, Code.STREAM_CLOSED)

    def reset(self, number: int) -> None:
        """The client gives a stream up. Raises ConnectionViolation."""
        self._check_known(number)
        stream = self.streams.get(number)
        if stream is not None:
            stream.lost()
            self._count_given_up()

    def violated(self, violation: StreamViolation) -> None:
        """A stream has to end. Raises ConnectionViolation."""
        self.end_stream(violation.stream, violation.code)
        stream = self.streams.get(violation.stream)
        if stream is not None:
            stream.lost()
        self._count_given_up()

    def _count_given_up(self) -> None:
        if not self._given_up.take(self.loop.time()):
            raise ConnectionViolation(Code.ENHANCE_YOUR_CALM, "too many streams are given up")

    def _check_known(self, number: int) -> None:
        if number > self._newest or not number & 1:
            raise ConnectionViolation(Code.PROTOCOL_ERROR, "a frame of a stream that has not begun")

    def wider(self, number: int, more: int) -> None:
        """The client takes more bytes: of a stream, or (0) of all. Raises ConnectionViolation, StreamViolation."""
        if not number:
            if not more:
                raise ConnectionViolation(Code.PROTOCOL_ERROR, "a window that is no wider")
            self.outlet.room += more
            if self.outlet.room > WIDEST:
                raise ConnectionViolation(Code.FLOW_CONTROL_ERROR, "a window that is too wide")
            self.outlet.pump()
            return
        self._check_known(number)
        stream = self.streams.get(number)
        if not more:
            raise StreamViolation(number, Code.PROTOCOL_ERROR)
        if stream is not None:
            stream.wider(more)
            if stream.room > WIDEST:
                raise StreamViolation(number, Code.FLOW_CONTROL_ERROR)

    def settings(self, payload: bytes) -> None:
        """Raises ConnectionViolation."""
        self.outlet.write(frame(0, SETTINGS, ACK, 0))  # before whatever there is room for now
        for setting, value in checked(payload):
            if setting == INITIAL_WINDOW:
                self._resize(value)
            elif setting == MAX_FRAME:
                self.outlet.frame = min(value, LARGEST)
            elif setting == HEADER_TABLE_SIZE:
                self.outlet.first_block = NO_TABLE

    def _resize(self, window: int) -> None:
        more, self.outlet.first_room = window - self.outlet.first_room, window
        for stream in list(self.streams.values()):
            stream.wider(more)
            if stream.room > WIDEST:
                raise ConnectionViolation(Code.FLOW_CONTROL_ERROR, "a window that is too wide")

    def ping(self, payload: bytes) -> None:
        self.outlet.write(frame(8, PING, ACK, 0) + payload)

    def going_away(self) -> None:
        """The client asks for nothing more."""
        self._leave(Code.NO_ERROR)

    # The streams' side

    def open_window(self, number: int, more: int) -> None:
        """Take more bytes of a stream, or (0) of all."""
        self.outlet.write(frame(4, WINDOW_UPDATE, 0, number) + more.to_bytes(4, "big"))

    def end_stream(self, number: int, code: Code) -> None:
        """Tell the client that a stream is over; what is on its way for it is not heard."""
        self._mute(number)
        if self.transport is not CLOSED:
            self.outlet.write(frame(4, RST_STREAM, 0, number) + code.to_bytes(4, "big"))

    def end_later(self, number: int) -> None:
        """The same once the client has had time to read an answer: some forget it when they are told so at once."""
        self._mute(number)
        self.loop.call_later(LINGER, self.end_stream, number, Code.NO_ERROR)

    def _mute(self, number: int) -> None:
        self._ended[number] = None
        if len(self._ended) > ENDED:
            del self._ended[next(iter(self._ended))]

    def part(self) -> None:
        """Take no further request."""
        self._leave(Code.NO_ERROR)

    def forget(self, stream: Stream) -> None:
        """A stream is over."""
        self.streams.pop(stream.number, None)
        if stream.task is not None:
            self.leaving.add(stream)
        if self._going and not self.streams and not self.closing:
            self.close()

    # The server's side

    def _leave(self, code: Code, why: str = "") -> None:
        """Take no further stream; close after the last one."""
        if not self._going or code:
            self._going = True
            payload = self._newest.to_bytes(4, "big") + code.to_bytes(4, "big") + why.encode()
            self.outlet.write(frame(len(payload), GOAWAY, 0, 0) + payload)
        if not self.streams and not self.closing:
            self.close()

    def silent(self) -> Iterable[Silent]:
        return (self, *self.streams.values())

    @property
    def position(self) -> tuple[State, int]:
        if not self._reader.between:
            return "head", self._received
        return ("busy", 0) if self.streams else ("idle", self.answered)

    def give_up(self) -> None:
        self._leave(Code.NO_ERROR)
        if not self.closing:
            self._drop()

    def stop(self) -> None:
        for stream in list(self.streams.values()):
            if stream.endless and stream.body is not None:
                stream.body.end()  # first: some clients hear nothing after a farewell
        self._leave(Code.NO_ERROR)
