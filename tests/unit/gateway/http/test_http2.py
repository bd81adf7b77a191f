"""Connections of HTTP/2 over real sockets: streams, windows, cancellation, and what a client may not do."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes
from hpack import Encoder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kybern.gateway.http.client import Client
from kybern.gateway.http.closed import CLOSED
from kybern.gateway.http.handler import Said
from kybern.gateway.http.http2.connection import GIVEN_UP_AT_ONCE, Connection
from kybern.gateway.http.http2.violations import Code
from kybern.gateway.http.message import Request, Response
from kybern.gateway.http.reply import Reply, ResponseStream
from kybern.testing.http_handler import PlainHandler

LARGE = 300_000
HEADERS = [(":method", "GET"), (":scheme", "https"), (":authority", "h"), (":path", "/x"), ("user-agent", "t")]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Echo(PlainHandler):
    """Answers with what it got; /large with much, /stream in pieces, /endless until told, /slow never."""

    def __init__(self) -> None:
        self.cancelled, self.running = 0, 0
        self.streams: list[ResponseStream] = []
        self.again: list[tuple[bytes, Hashable]] = []
        self.known: set[Hashable] = set()

    def get_again(self, reply: Reply, line: bytes, head: Hashable) -> bool:
        if (line, head) not in self.known:
            return False
        self.again.append((line, head))
        reply.answer_plainly(b"again", True, "")
        return True

    def create_again(self, reply: Reply, head: Hashable, body: bytes) -> bool:
        if head not in self.known:
            return False
        reply.answer_plainly(b"created again " + body, True, "", 201)
        return True

    def begin(self, request: Request, said: Said | None) -> bool:
        if said is not None and "again" in request.path:
            self.known.add((said.line, said.head) if request.method == "GET" else said.head)
        return False

    async def handle(self, request: Request) -> Response | None:
        self.running += 1
        try:
            return await self._handle(request)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def _handle(self, request: Request) -> Response | None:
        match request.path:
            case "/large":
                return Response(b"x" * LARGE)
            case "/stream" | "/broken":
                stream = request.reply.stream(request, 200, b"text/plain")
                await stream.write(b"one")
                await stream.write_framed(b"3\r\ntwo\r\n")
                if request.path == "/broken":
                    return Response(b"too late", 500)
                stream.end()
                return None
            case "/endless":
                stream = request.reply.stream(request, 200, b"text/plain", endless=True)
                self.streams.append(stream)
                await asyncio.sleep(60)
            case "/flood":
                stream = request.reply.stream(request, 200, b"text/plain")
                self.streams.append(stream)
                while True:
                    await stream.write(b"y" * 10_000)
            case "/slow":
                await asyncio.sleep(60)
            case "/early":
                assert request.incoming is not None
                return Response(str(sum([len(piece) async for piece in request.incoming])).encode())
            case "/early-refused":
                return Response(b"no", 403)
        return Response(f"{request.method} {request.path} {request.query} ".encode() + request.body)

    def refuse(self, request: Request, code: int) -> Response:
        return Response(b"refused", code)


class Peer:
    """A client: h2 keeps its state, `events` are what it has heard."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8", validate_outbound_headers=False))
        self.events: list[Event] = []
        self.bodies: dict[int, bytes] = {}
        self.reads = True  # windows are opened again

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    def request(self, path: str, method: str = "GET", body: bytes | None = None, *more: tuple[str, str]) -> int:
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "https"), (":authority", "h"), (":path", path), *more]
        self.h2.send_headers(stream, head, end_stream=body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=True)
        self.flush()
        return stream

    async def until(self, wanted: Callable[[Event], bool]) -> Any:
        """Read until there is such an event."""
        async with asyncio.timeout(5):
            while True:
                for event in self.events:
                    if wanted(event):
                        return event
                data = await self.reader.read(65536)
                assert data, f"closed after {self.events}"
                self._take(self.h2.receive_data(data))

    def _take(self, events: list[Event]) -> None:
        for event in events:
            self.events.append(event)
            if isinstance(event, DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                if self.reads and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()

    async def answer(self, stream: int) -> tuple[int, bytes]:
        ended = await self.until(lambda e: isinstance(e, StreamEnded | StreamReset) and e.stream_id == stream)
        assert isinstance(ended, StreamEnded), ended
        head = next(e for e in self.events if isinstance(e, ResponseReceived) and e.stream_id == stream)
        return int(dict(head.headers)[":status"]), self.bodies.get(stream, b"")


@asynccontextmanager
async def listening(
    handler: Echo, max_streams: int = 0, parts: Callable[[], bool] | None = None
) -> AsyncIterator[tuple[int, set[Client]]]:
    connections: set[Client] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(handler, connections, None, max_streams, parts), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1], connections
    finally:
        server.close()
        for connection in list(connections):
            connection.transport.abort()
        await asyncio.sleep(0.01)
        assert handler.running == 0


@asynccontextmanager
async def peer(
    handler: Echo | None = None, max_streams: int = 0, window: int = 0, parts: Callable[[], bool] | None = None
) -> AsyncIterator[tuple[Peer, Any]]:
    """A client and its connection at the server; `window`: of its streams."""
    async with listening(handler or Echo(), max_streams, parts) as (port, connections):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        found = Peer(reader, writer)
        found.h2.initiate_connection()
        if window:
            found.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        found.flush()
        while not connections:
            await asyncio.sleep(0)
        (connection,) = connections
        try:
            yield found, connection
        finally:
            writer.transport.abort()


async def test_what_the_server_says_of_itself() -> None:
    async with peer() as (client, _):
        await client.until(lambda e: type(e).__name__ == "WindowUpdated")
        said = client.h2.remote_settings
        assert (said.max_concurrent_streams, said.initial_window_size, said.max_frame_size) == (100, 262144, 262144)
        assert (said.max_header_list_size, said.header_table_size) == (1048896, 4096)
        assert client.h2.outbound_flow_control_window == 26214400
    async with peer(max_streams=7) as (client, _):
        await client.until(lambda e: type(e).__name__ == "WindowUpdated")
        assert client.h2.remote_settings.max_concurrent_streams == 7


async def test_requests_side_by_side() -> None:
    async with peer() as (client, connection):
        slow, get = client.request("/slow"), client.request("/a%20b?x=1&x=2")
        post = client.request("/p", "POST", b"body")
        head = client.request("/h", "HEAD")
        assert await client.answer(get) == (200, b"GET /a b {'x': ['1', '2']} ")
        assert await client.answer(post) == (200, b"POST /p {} body")
        assert await client.answer(head) == (200, b"")
        assert list(connection.streams) == [slow]
        assert connection.reused


async def test_answers_larger_than_the_windows() -> None:
    async with peer() as (client, _):
        streams = [client.request("/large") for _ in range(5)]
        for stream in streams:
            assert await client.answer(stream) == (200, b"x" * LARGE)


async def test_a_request_may_be_the_last_of_its_connection() -> None:
    """It is answered, so is what was asked before; what comes after it is not heard."""
    chances = iter([False, True])
    async with peer(parts=lambda: next(chances)) as (client, connection):
        endless, last = client.request("/endless"), client.request("/last", "POST", b"body")
        assert await client.answer(last) == (200, b"POST /last {} body")
        farewell = await client.until(lambda e: isinstance(e, ConnectionTerminated))
        assert (farewell.last_stream_id, farewell.error_code) == (last, Code.NO_ERROR)
        assert list(connection.streams) == [endless]
        connection.streams[endless].abort()
        async with asyncio.timeout(5):
            while await client.reader.read(65536):
                pass
        assert connection.closing


async def test_streams_and_what_breaks_off() -> None:
    async with peer() as (client, _):
        assert await client.answer(client.request("/stream")) == (200, b"onetwo")
        broken = client.request("/broken")
        reset = await client.until(lambda e: isinstance(e, StreamReset) and e.stream_id == broken)
        assert reset.error_code == Code.INTERNAL_ERROR


async def test_a_reader_that_stops_holds_up_nobody_but_its_writer() -> None:
    handler = Echo()
    async with peer(handler, window=20_000) as (client, connection):
        client.reads = False
        flood = client.request("/flood")
        await client.until(lambda e: isinstance(e, DataReceived) and len(client.bodies[e.stream_id]) == 20_000)
        client.reads = True
        assert await client.answer(client.request("/x")) == (200, b"GET /x {} ")
        sent = handler.streams[0].sent
        assert sent < 200_000
        assert not handler.streams[0].send_now(b"z", b"1\r\nz\r\n")
        client.h2.reset_stream(flood)
        client.flush()
        await client.answer(client.request("/x"))
        assert (handler.cancelled, connection.leaving) == (1, set())


async def test_a_stream_given_up_cancels_its_work_alone() -> None:
    handler = Echo()
    async with peer(handler) as (client, connection):
        streams = [client.request("/slow") for _ in range(3)]
        await client.answer(client.request("/x"))
        client.h2.reset_stream(streams[1])
        client.flush()
        await client.answer(client.request("/x"))
        await asyncio.sleep(0)
        assert (handler.cancelled, handler.running) == (1, 2)
        assert list(connection.streams) == [streams[0], streams[2]]
        assert not connection.leaving


async def test_a_lost_connection_cancels_everything() -> None:
    handler = Echo()
    async with peer(handler) as (client, connection):
        for _ in range(3):
            client.request("/slow")
        await client.answer(client.request("/x"))
        client.writer.transport.abort()
        while handler.cancelled < 3:
            await asyncio.sleep(0.01)
        assert connection.transport is CLOSED
        assert not connection.streams
        connection.give_up()  # and what comes too late does no harm
        connection.stop()


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large(announced: bool) -> None:
    async with peer() as (client, _):
        await client.until(lambda e: type(e).__name__ == "WindowUpdated")
        stream = client.h2.get_next_available_stream_id()
        more = [("content-length", str((3 << 20) + 1))] if announced else []
        client.h2.send_headers(stream, [*HEADERS, *more])
        left = (3 << 20) + 1
        while left:
            size = min(left, client.h2.local_flow_control_window(stream), 100_000)
            if size:
                client.h2.send_data(stream, b"x" * size)
                left -= size
                client.flush()
            else:
                client._take(client.h2.receive_data(await client.reader.read(65536)))
        client.flush()
        assert await client.answer(stream) == (413, b"refused")
        assert await client.answer(client.request("/x")) == (200, b"GET /x {} ")


async def test_a_body_that_is_passed_on_may_be_of_any_size() -> None:
    async with peer() as (client, _):
        await client.until(lambda e: type(e).__name__ == "WindowUpdated")
        stream = client.h2.get_next_available_stream_id()
        client.h2.send_headers(stream, [(":method", "POST"), (":scheme", "https"), (":path", "/early")])
        left = 5_000_000
        while left:
            size = min(left, client.h2.local_flow_control_window(stream), 100_000)
            if size:
                client.h2.send_data(stream, b"x" * size, end_stream=size == left)
                left -= size
                client.flush()
            else:
                client._take(client.h2.receive_data(await client.reader.read(65536)))
        assert await client.answer(stream) == (200, b"5000000")
        stream = client.h2.get_next_available_stream_id()
        client.h2.send_headers(stream, [(":method", "POST"), (":scheme", "https"), (":path", "/early-refused")])
        client.flush()
        assert await client.answer(stream) == (403, b"no")


async def test_expect_continue() -> None:
    async with peer() as (client, _):
        stream = client.h2.get_next_available_stream_id()
        client.h2.send_headers(stream, [*HEADERS, ("expect", "100-continue")])
        client.flush()
        await client.until(lambda e: isinstance(e, InformationalResponseReceived))
        client.h2.send_data(stream, b"ok", end_stream=True)
        client.flush()
        assert (await client.answer(stream))[1].endswith(b"ok")


async def test_words_that_came_before_go_the_short_way() -> None:
    handler = Echo()
    async with peer(handler) as (client, _):
        assert (await client.answer(client.request("/again")))[1] == b"GET /again {} "
        assert await client.answer(client.request("/again")) == (200, b"again\n")
        other = await client.answer(client.request("/again", "GET", None, ("authorization", "Bearer x")))
        assert other[1] == b"GET /again {} "
        for number in range(200):  # by then the table of headers has been through many
            await client.answer(client.request(f"/other/{number}"))
        assert await client.answer(client.request("/again")) == (200, b"again\n")
        length = ("content-length", "2"), ("content-length", "3")
        assert (await client.answer(client.request("/again", "POST", b"{}", length[0])))[1] == b"POST /again {} {}"
        assert await client.answer(client.request("/again", "POST", b"abc", length[1])) == (201, b"created again abc\n")


async def test_more_streams_than_there_may_be_are_refused() -> None:
    async with peer(max_streams=2) as (client, _):
        await client.until(lambda e: type(e).__name__ == "WindowUpdated")
        client.request("/slow")
        client.request("/slow")
        client.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 100
        client.h2.remote_settings.acknowledge()
        third = client.request("/x")
        reset = await client.until(lambda e: isinstance(e, StreamReset))
        assert (reset.stream_id, reset.error_code) == (third, Code.REFUSED_STREAM)


async def test_a_server_that_stops() -> None:
    async with listening(Echo()) as (port, connections):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        endless = frame(1, 5, 1, block([*HEADERS[:3], (":path", "/endless")]))
        writer.write(PREFACE + frame(4, 0, 0) + endless + frame(1, 4, 3, block([*HEADERS, ("content-length", "2")])))
        await asyncio.sleep(0.05)
        (connection,) = connections
        connection.stop()
        await asyncio.sleep(0.02)
        writer.write(frame(1, 5, 5, block(HEADERS)) + frame(0, 1, 3, b"ok"))
        found = frames_of(await reader.read())
        assert [one for one in found if one[0] in (0, 7)] == [
            (0, 1, 1, b""),
            (7, 0, 0, (3).to_bytes(4, "big") + bytes(4)),
            (0, 1, 3, b"GET /x {} ok"),
        ]
        writer.close()
        await writer.wait_closed()


async def test_where_a_client_stands() -> None:
    async with listening(Echo()) as (port, connections):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while not connections:
            await asyncio.sleep(0)
        (connection,) = connections
        assert connection.position == ("head", 0)
        writer.write(PREFACE + frame(4, 0, 0))
        await asyncio.sleep(0.02)
        assert connection.position == ("idle", 0)
        writer.write(frame(1, 4, 1, block([*HEADERS, ("content-length", "3")])) + frame(0, 0, 1, b"a")[:9])
        await asyncio.sleep(0.02)
        assert connection.position[0] == "head"
        writer.write(b"a")
        await asyncio.sleep(0.02)
        assert connection.position == ("busy", 0)
        ours, stream = connection.silent()
        assert (ours, stream.position) == (connection, ("body", 1))
        stream.give_up()
        await asyncio.sleep(0.02)
        assert connection.position == ("idle", 1)
        connection.give_up()
        assert b"\x08\x03408" in (await reader.read())
        writer.close()
        await writer.wait_closed()


# What a client may not do


def frame(kind: int, flags: int, stream: int, payload: bytes = b"", length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    return struct.pack(">IBI", size << 8 | kind, flags, stream) + payload


def block(headers: list[tuple[str, str]]) -> bytes:
    encoder = Encoder()
    encoder.header_table_size = 0
    return encoder.encode(headers, huffman=False)


def changed(**values: str | None) -> bytes:
    """A HEADERS frame of a request with other pseudo header fields."""
    headers = [(name, values.get(name.lstrip(":"), value)) for name, value in HEADERS]
    return frame(1, 5, 1, block([(name, value) for name, value in headers if value is not None]))


PING_AND_BYE = frame(7, 0, 0, bytes(8))
GET = frame(1, 5, 1, block(HEADERS))
POST = frame(1, 4, 1, block(HEADERS))
UPDATE = struct.pack(">I", 1 << 30)
BIG = b"\x00\x01a\x7f\x81\xff\x03" + b"b" * 65536  # one field of 65,536 bytes, as a literal
ON_CONNECTIONS = [
    pytest.param(frame(1, 5, 2, block(HEADERS)), Code.PROTOCOL_ERROR, id="a stream with an even number"),
    pytest.param(frame(1, 5, 0, block(HEADERS)), Code.PROTOCOL_ERROR, id="headers of the connection"),
    pytest.param(GET + GET, Code.STREAM_CLOSED, id="a stream that was there before"),
    pytest.param(frame(0, 0, 1, b"x"), Code.PROTOCOL_ERROR, id="data of no stream"),
    pytest.param(frame(3, 0, 1, bytes(4)), Code.PROTOCOL_ERROR, id="a reset of no stream"),
    pytest.param(frame(8, 0, 1, UPDATE), Code.PROTOCOL_ERROR, id="a window of no stream"),
    pytest.param(frame(8, 0, 0, bytes(4)), Code.PROTOCOL_ERROR, id="a window that is no wider"),
    pytest.param(frame(8, 0, 0, UPDATE) * 2, Code.FLOW_CONTROL_ERROR, id="a window that is too wide"),
    pytest.param(frame(8, 0, 0, b"abc"), Code.FRAME_SIZE_ERROR, id="a window of three bytes"),
    pytest.param(frame(9, 4, 1, b""), Code.PROTOCOL_ERROR, id="a continuation of nothing"),
    pytest.param(frame(1, 0, 1, b"") + GET, Code.PROTOCOL_ERROR, id="headers within headers"),
    pytest.param(frame(1, 0, 1, b"") + frame(9, 4, 3), Code.PROTOCOL_ERROR, id="a continuation of others"),
    pytest.param(frame(1, 0, 1) + frame(9, 0, 1) * 120_000, Code.PROTOCOL_ERROR, id="continuations for ever"),
    pytest.param(frame(1, 5, 1, b"\xff\xff\xff\xff\xff\xff\x01"), Code.COMPRESSION_ERROR, id="a number for ever"),
    pytest.param(frame(1, 5, 1, b"\xbe"), Code.COMPRESSION_ERROR, id="an entry of an empty table"),
    pytest.param(frame(1, 5, 1, b"\x80"), Code.COMPRESSION_ERROR, id="entry 0"),
    pytest.param(frame(1, 5, 1, b"\x3f\xe2\x1f"), Code.COMPRESSION_ERROR, id="a larger table than allowed"),
    pytest.param(frame(1, 5, 1, b"\x82\x20"), Code.COMPRESSION_ERROR, id="a table size after a field"),
    pytest.param(frame(1, 5, 1, b"\x00\x81\xff\x00"), Code.COMPRESSION_ERROR, id="no Huffman code"),
    pytest.param(frame(1, 5, 1, b"\x00\x05ab"), Code.COMPRESSION_ERROR, id="a string without an end"),
    pytest.param(frame(1, 13, 1, b"\xff" + block(HEADERS)), Code.PROTOCOL_ERROR, id="more padding than headers"),
    pytest.param(POST + frame(0, 8, 1, b"\x05abc"), Code.PROTOCOL_ERROR, id="more padding than data"),
    pytest.param(POST + frame(0, 8, 1), Code.PROTOCOL_ERROR, id="padding that is not there"),
    pytest.param(frame(5, 4, 1, bytes(4)), Code.PROTOCOL_ERROR, id="a push"),
    pytest.param(frame(6, 0, 0, b"abc"), Code.FRAME_SIZE_ERROR, id="a ping of three bytes"),
    pytest.param(frame(6, 0, 1, bytes(8)), Code.PROTOCOL_ERROR, id="a ping of a stream"),
    pytest.param(frame(4, 1, 0, bytes(6)), Code.FRAME_SIZE_ERROR, id="an acknowledgement with settings"),
    pytest.param(frame(4, 0, 0, bytes(5)), Code.FRAME_SIZE_ERROR, id="settings of five bytes"),
    pytest.param(frame(4, 0, 1), Code.PROTOCOL_ERROR, id="settings of a stream"),
    pytest.param(frame(4, 0, 0, struct.pack(">HI", 4, 1 << 31)), Code.FLOW_CONTROL_ERROR, id="a window of 2^31"),
    pytest.param(frame(4, 0, 0, struct.pack(">HI", 5, 100)), Code.PROTOCOL_ERROR, id="frames of 100 bytes"),
    pytest.param(frame(4, 0, 0, struct.pack(">HI", 2, 2)), Code.PROTOCOL_ERROR, id="push 2"),
    pytest.param(frame(0, 0, 1, b"", 1 << 20), Code.FRAME_SIZE_ERROR, id="a frame of a megabyte"),
    pytest.param(frame(7, 0, 1, bytes(8)), Code.PROTOCOL_ERROR, id="a farewell of a stream"),
    pytest.param(
        frame(1, 0, 1) + frame(9, 0, 1, BIG) * 17,
        Code.PROTOCOL_ERROR,
        id="more than a megabyte of headers",
    ),
    pytest.param(
        frame(1, 5, 1, b"\x40\x01a\x7f\xa1\x1e" + b"b" * 4000 + b"\xbe" * 1000),
        Code.PROTOCOL_ERROR,
        id="a short block that is a long list",
    ),
    pytest.param(
        b"".join(frame(1, 4, n, block(HEADERS)) + frame(3, 0, n, bytes(4)) for n in range(1, 4001, 2)),
        Code.ENHANCE_YOUR_CALM,
        id="streams begun and given up",
    ),
    pytest.param(
        b"".join(frame(1, 4, n, block(HEADERS)) + frame(8, 0, n, bytes(4)) for n in range(1, 4001, 2)),
        Code.ENHANCE_YOUR_CALM,
        id="streams that the server is made to end",
    ),
]
ON_STREAMS = [
    pytest.param(changed(method=None), Code.PROTOCOL_ERROR, id="no method"),
    pytest.param(changed(scheme=None), Code.PROTOCOL_ERROR, id="no scheme"),
    pytest.param(changed(path=None), Code.PROTOCOL_ERROR, id="no path"),
    pytest.param(changed(path=""), Code.PROTOCOL_ERROR, id="an empty path"),
    pytest.param(changed(path="x"), Code.PROTOCOL_ERROR, id="a relative path"),
    pytest.param(changed(path="/a HTTP/1.1"), Code.PROTOCOL_ERROR, id="a path with a space"),
    pytest.param(changed(path="/%zz"), Code.PROTOCOL_ERROR, id="a malformed escape"),
    pytest.param(changed(method="CONNECT"), Code.PROTOCOL_ERROR, id="CONNECT"),
    pytest.param(changed(method="G T"), Code.PROTOCOL_ERROR, id="a method with a space"),
    pytest.param(frame(1, 5, 1, block([*HEADERS, (":path", "/")])), Code.PROTOCOL_ERROR, id="two paths"),
    pytest.param(frame(1, 5, 1, block([HEADERS[-1], *HEADERS[:-1]])), Code.PROTOCOL_ERROR, id="pseudo fields late"),
    pytest.param(frame(1, 5, 1, block([(":protocol", "websocket"), *HEADERS])), Code.PROTOCOL_ERROR, id="unknown"),
    pytest.param(frame(1, 5, 1, block([*HEADERS, ("Big", "x")])), Code.PROTOCOL_ERROR, id="upper case"),
    pytest.param(frame(1, 5, 1, block([*HEADERS, ("x", "a\nb")])), Code.PROTOCOL_ERROR, id="a line break"),
    pytest.param(frame(1, 5, 1, block([*HEADERS, ("content-length", "-1")])), Code.PROTOCOL_ERROR, id="a length < 0"),
    pytest.param(frame(1, 5, 1, block([*HEADERS, ("content-length", "1")])), Code.PROTOCOL_ERROR, id="no body"),
    pytest.param(
        frame(1, 4, 1, block([*HEADERS, ("content-length", "1")])) + frame(0, 1, 1, b"ab"),
        Code.PROTOCOL_ERROR,
        id="a longer body",
    ),
    pytest.param(POST + frame(1, 4, 1, b""), Code.PROTOCOL_ERROR, id="trailers that go on"),
    pytest.param(POST + frame(1, 5, 1, block(HEADERS)), Code.PROTOCOL_ERROR, id="trailers with pseudo fields"),
    pytest.param(POST + frame(8, 0, 1, bytes(4)), Code.PROTOCOL_ERROR, id="a window that is no wider"),
    pytest.param(POST + frame(8, 0, 1, UPDATE) * 2, Code.FLOW_CONTROL_ERROR, id="a window that is too wide"),
    pytest.param(POST + frame(2, 0, 1, bytes(4)), Code.FRAME_SIZE_ERROR, id="a priority of four bytes"),
    pytest.param(POST + frame(2, 0, 1, b"\0\0\0\1\0"), Code.PROTOCOL_ERROR, id="a stream that depends on itself"),
    pytest.param(GET + frame(0, 0, 1, b"x"), Code.STREAM_CLOSED, id="data after the end"),
    pytest.param(frame(1, 5, 1, block([*HEADERS, ("te", "gzip")])), Code.PROTOCOL_ERROR, id="te"),
    pytest.param(frame(1, 5, 1, block([*HEADERS, ("connection", "x")])), Code.PROTOCOL_ERROR, id="connection"),
]  # fmt: skip


def frames_of(data: bytes) -> list[tuple[int, int, int, bytes]]:
    found = []
    while data:
        size, flags, stream = struct.unpack(">IBI", data[:9])
        found.append((size & 0xFF, flags, stream, data[9 : 9 + (size >> 8)]))
        data = data[9 + (size >> 8) :]
    return found


async def said_to(sent: bytes, *, last: bytes = b"") -> list[tuple[int, int, int, bytes]]:
    """The frames that a server says to this, and to a farewell after it."""
    async with listening(Echo()) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent + last)
        data = b""
        try:
            async with asyncio.timeout(5):
                while part := await reader.read(65536):
                    data += part
        except ConnectionError:
            pass
        writer.transport.abort()
        await asyncio.sleep(0)
        return frames_of(data)


@pytest.mark.parametrize(("sent", "code"), ON_CONNECTIONS)
async def test_what_ends_the_connection(sent: bytes, code: Code) -> None:
    found = await said_to(PREFACE + frame(4, 0, 0) + sent)
    assert [payload[4:8] for kind, _, _, payload in found if kind == 7] == [code.to_bytes(4, "big")]


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", PREFACE + frame(6, 0, 0, bytes(8)), PREFACE + GET])
async def test_what_is_not_http_2(sent: bytes) -> None:
    assert (await said_to(sent))[-1][0] == 7


@pytest.mark.parametrize(("sent", "code"), ON_STREAMS)
async def test_what_ends_the_stream_alone(sent: bytes, code: Code) -> None:
    following = frame(1, 5, 3, block([*HEADERS[:3], (":path", "/next")]))
    found = await said_to(PREFACE + frame(4, 0, 0) + sent + following, last=frame(7, 0, 0, bytes(8)))
    assert (3, 0, 1, code.to_bytes(4, "big")) in found
    assert (0, 1, 3, b"GET /next {} ") in found
    assert [payload[4:8] for kind, _, _, payload in found if kind == 7] == [bytes(4)]


async def test_what_upstream_answers_is_answered() -> None:
    sent = frame(1, 5, 1, block([*HEADERS, ("upgrade", "websocket")]))
    found = await said_to(PREFACE + frame(4, 0, 0) + sent, last=frame(7, 0, 0, bytes(8)))
    assert (0, 1, 1, b'request header "Upgrade" is not valid in HTTP/2\n') in found


async def test_too_many_headers() -> None:
    many = b"".join(frame(9, 0, 1, BIG) for _ in range(15)) + frame(9, 4, 1, BIG)
    found = await said_to(PREFACE + frame(4, 0, 0) + frame(1, 1, 1, block(HEADERS)) + many + PING_AND_BYE)
    assert (0, 1, 1, b"<h1>HTTP Error 431</h1><p>Request Header Field(s) Too Large</p>") in found


async def test_answers_that_nobody_takes_are_not_kept() -> None:
    async with listening(Echo()) as (port, connections):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        large = block([*HEADERS[:3], (":path", "/large")])
        writer.write(PREFACE + frame(4, 0, 0))
        for number in range(1, 401, 2):
            writer.write(frame(1, 5, number, large))
            await asyncio.sleep(0)
            writer.write(frame(3, 0, number, bytes(4)))
        await asyncio.sleep(0.1)
        (connection,) = connections
        assert isinstance(connection, Connection)
        assert not connection.streams
        assert not connection.outlet._ready
        writer.transport.abort()


async def test_pings_and_unknown_frames() -> None:
    sent = frame(6, 0, 0, b"abcdefgh") + frame(0x77, 0xFF, 9, b"?") + frame(6, 1, 0, bytes(8))
    found = await said_to(PREFACE + frame(4, 0, 0) + sent, last=frame(7, 0, 0, bytes(8)))
    assert [one for one in found if one[0] == 6] == [(6, 1, 0, b"abcdefgh")]


async def test_a_client_that_asks_and_never_reads_is_cut_off() -> None:
    handler = Echo()
    async with listening(handler) as (port, connections):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(PREFACE + frame(4, 0, 0))
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # it reads, too
        async with asyncio.timeout(20):
            while connections:
                writer.write(frame(6, 0, 0, b"abcdefgh") * 5000)
                with suppress(ConnectionError):
                    await writer.drain()
        writer.transport.abort()


def test_the_budget_allows_what_controllers_do() -> None:
    assert GIVEN_UP_AT_ONCE >= 1000


FRAMES = st.one_of(
    st.builds(
        lambda kind, flags, stream, payload: frame(kind, flags, stream, payload),
        st.integers(0, 12),
        st.integers(0, 255),
        st.integers(0, 9),
        st.one_of(st.binary(max_size=40), st.just(block(HEADERS)), st.just(bytes(4)), st.just(bytes(8))),
    ),
    st.binary(max_size=30),
    st.sampled_from([GET, POST, frame(1, 4, 3, block(HEADERS)), frame(0, 1, 1, b"ab"), frame(0, 1, 3, b"ab")]),
    st.builds(lambda p: frame(1, 5, 1, block([*HEADERS[:3], (":path", p)])), st.sampled_from(["/large", "/stream"])),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(FRAMES, max_size=12), cut=st.integers(1, 50))
def test_whatever_comes_nothing_breaks_and_nothing_is_left(sent: list[bytes], cut: int) -> None:
    async def run() -> None:
        handler = Echo()
        connections: set[Client] = set()
        connection = Connection(handler, connections)
        transport = Written()
        connection.connection_made(transport)
        data = PREFACE + frame(4, 0, 0) + b"".join(sent)
        for at in range(0, len(data), cut):
            if not transport.closed:
                connection.data_received(data[at : at + cut])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        frames_of(b"".join(transport.pieces))
        connection.connection_lost(None)
        while handler.running:
            await asyncio.sleep(0)
        assert not connections
        assert not connection.streams
        await asyncio.sleep(0)
        assert not connection.leaving

    asyncio.run(run())


class Written:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closed = False

    def get_extra_info(self, name: str) -> Any:
        return self if name == "socket" else None

    def setsockopt(self, *_: int) -> None: ...

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed
