"""The HTTP/1.1 port over real sockets: keep-alive, pipelining, limits, streams, WebSockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, RejectConnection
from wsproto.events import Request as Handshake

from kybern.gateway.http.client import Client
from kybern.gateway.http.closed import CLOSED
from kybern.gateway.http.handler import Said
from kybern.gateway.http.http1.connection import Connection
from kybern.gateway.http.message import Request, Response
from kybern.gateway.http.websocket import WebSocketClosed
from kybern.testing.http_handler import PlainHandler


class Echo(PlainHandler):
    """Answers with what it got; /stream in chunks, /ws as a WebSocket, /slow never."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()

    def begin(self, request: Request, said: Said | None) -> bool:
        if request.path != "/fast":
            return False
        asyncio.get_running_loop().call_soon(request.reply.answer, request, Response(b"fast"))
        return True

    async def handle(self, request: Request) -> Response | None:
        match request.path:
            case "/stream":
                stream = request.reply.stream(request, 200, b"text/plain")
                for part in (b"one", b"two"):
                    await stream.write(part)
                stream.end()
                return None
            case "/broken":
                await request.reply.stream(request, 200, b"text/plain").write(b"one")
                return Response(b"an error that came too late", 500)
            case "/ws":
                socket = request.reply.upgrade(request, "v4.channel.k8s.io")
                try:
                    while True:
                        await socket.send((await socket.next())[::-1])
                except WebSocketClosed:
                    return None
            case "/early":
                assert request.incoming is not None
                return Response(str(sum([len(piece) async for piece in request.incoming])).encode())
            case "/early-refused":
                return Response(b"no", 403)
            case "/raw":
                tunnel = request.reply.tunnel(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
                while data := await tunnel.read():
                    await tunnel.write(data.upper())
                return None
            case "/slow":
                try:
                    await asyncio.sleep(60)
                finally:
                    self.cancelled.set()
        return Response(f"{request.method} {request.path} {request.query} ".encode() + request.body)

    def refuse(self, request: Request, code: int) -> Response:
        return Response(b"refused", code)


@asynccontextmanager
async def client(handler: Echo | None = None) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    connections: set[Client] = set()
    used = handler or Echo()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(used, connections), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        server.close()
        for connection in list(connections):
            connection.transport.abort()
        await asyncio.sleep(0.01)


async def response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")), None
    )
    code = int(head.split()[1])
    if length is not None:
        return code, await reader.readexactly(length)
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return code, body


async def test_keep_alive_and_pipelining() -> None:
    async with client() as (reader, writer):
        for _ in range(2):
            writer.write(b"POST /a%20b?x=1&x=2 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
            assert await response(reader) == (200, b"POST /a b {'x': ['1', '2']} body")
        writer.write(
            b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /fast HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\n\r\n"
        )
        assert [(await response(reader))[1] for _ in range(3)] == [b"GET /1 {} ", b"fast", b"GET /3 {} "]


async def test_forty_pipelined_requests_keep_their_order() -> None:
    async with client() as (reader, writer):
        writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % i for i in range(40)))
        assert [(await response(reader))[1] for i in range(40)] == [b"GET /%d {} " % i for i in range(40)]


async def test_connection_close_and_http_1_0() -> None:
    async with client() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"GET / {} ")
    async with client() as (reader, writer):
        writer.write(b"GET /stream HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\nonetwo")


async def test_head_has_no_body() -> None:
    async with client() as (reader, writer):
        writer.write(b"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        text = await reader.read()
        assert b"Content-Length: 10" in text
        assert text.endswith(b"\r\n\r\n")


async def test_chunked_answers_and_bodies() -> None:
    async with client() as (reader, writer):
        writer.write(b"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await response(reader) == (200, b"onetwo")
        writer.write(
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        assert await response(reader) == (200, b"POST / {} abcde")


async def test_an_error_after_the_beginning_of_a_stream_breaks_it_off() -> None:
    async with client() as (reader, writer):
        writer.write(b"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await response(reader) == (200, b"onetwo")
        writer.write(b"GET /broken HTTP/1.1\r\nHost: h\r\n\r\n")
        text = b""
        with suppress(ConnectionError):
            while part := await reader.read(1000):
                text += part
        assert b"too late" not in text
        assert not text.endswith(b"0\r\n\r\n")


async def test_expect_continue() -> None:
    async with client() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert (await response(reader))[1].endswith(b"ok")


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large(announced: bool) -> None:
    size = (3 << 20) + 1
    async with client() as (reader, writer):
        if announced:
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
        else:
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % size + b"x" * size)
        assert await response(reader) == (413, b"refused")


@pytest.mark.parametrize("path", [b"", b"/%", b"/a%z1?x=1", b"/%2", b"/%41%"])
async def test_what_is_not_http(path: bytes) -> None:
    async with client() as (reader, writer):
        writer.write(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % path if path else b"NONSENSE\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n")
        assert answer.endswith(b"\r\n\r\n400 Bad Request")


async def test_a_malformed_escape_in_a_query_is_let_through() -> None:
    async with client() as (reader, writer):
        writer.write(b"GET /%41?a=%zz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await response(reader))[0] == 200


async def test_a_request_is_cancelled_when_its_client_goes_away() -> None:
    handler = Echo()
    async with client(handler) as (_, writer):
        writer.write(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.sleep(0.05)
        writer.transport.abort()
        await asyncio.wait_for(handler.cancelled.wait(), 2)


class WsClient:
    """A WebSocket client over a stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.ws = WSConnection(ConnectionType.CLIENT)

    def send(self, event) -> None:
        self.writer.write(self.ws.send(event))

    async def events(self, count: int) -> list:
        found: list = []
        while len(found) < count:
            self.ws.receive_data(await self.reader.read(65536) or None)
            found += self.ws.events()
        return found


async def test_a_lost_connection_lets_its_transport_go() -> None:
    class Last(Echo):
        def begin(self, request: Request, said: Said | None) -> bool:
            self.connection = request.client
            return super().begin(request, said)

    last = Last()
    async with client(last) as (reader, writer):
        writer.write(b"GET /fast HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await response(reader))[1] == b"fast"
        assert last.connection.transport is not CLOSED
    assert last.connection.transport is CLOSED
    last.connection.give_up()  # and what comes too late does no harm
    last.connection.stop()


async def test_websocket() -> None:
    async with client() as (reader, writer):
        ws = WsClient(reader, writer)
        ws.send(Handshake(host="h", target="/ws", subprotocols=["v4.channel.k8s.io"]))
        (accepted,) = await ws.events(1)
        assert isinstance(accepted, AcceptConnection)
        assert accepted.subprotocol == "v4.channel.k8s.io"
        ws.send(BytesMessage(b"abc"))
        (echo,) = await ws.events(1)
        assert bytes(echo.data) == b"cba"
        ws.send(Ping(b"p"))
        assert await ws.events(1) == [Pong(b"p")]
        ws.send(BytesMessage(b"x" * 300_000))
        got = b""
        while len(got) < 300_000:
            got += b"".join(bytes(e.data) for e in await ws.events(1))
        assert got == b"x" * 300_000
        ws.send(CloseConnection(1000))
        assert isinstance((await ws.events(1))[0], CloseConnection)


async def test_a_refused_upgrade_is_a_plain_answer() -> None:
    async with client() as (reader, writer):
        ws = WsClient(reader, writer)
        ws.send(Handshake(host="h", target="/other"))
        assert isinstance((await ws.events(1))[0], RejectConnection)


async def test_a_body_that_is_passed_on_may_be_of_any_size() -> None:
    async with client() as (reader, writer):
        writer.write(b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n")
        for _ in range(80):
            writer.write(b"x" * 100_000)
            await writer.drain()
        assert await response(reader) == (200, b"8000000")
        writer.write(b"POST /early HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        assert await response(reader) == (200, b"3")


async def test_the_rest_of_a_refused_body_is_read_and_the_connection_goes_on() -> None:
    async with client() as (reader, writer):
        writer.write(b"POST /early-refused HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc")
        assert await response(reader) == (403, b"no")
        writer.write(b"defGET /next HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await response(reader))[1].startswith(b"GET /next")


async def send_megabytes(writer: asyncio.StreamWriter, count: int) -> None:
    for _ in range(10 * count):
        writer.write(b"x" * 100_000)
        await writer.drain()
        await asyncio.sleep(0)


async def test_a_refused_client_that_sends_on_is_cut_off() -> None:
    async with client() as (reader, writer):
        writer.write(b"POST /early-refused HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n")
        assert await response(reader) == (403, b"no")
        with pytest.raises(ConnectionError):
            await send_megabytes(writer, 9)


async def test_any_other_upgrade_is_a_tunnel() -> None:
    async with client() as (reader, writer):
        writer.write(b"POST /raw HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nearly ")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"late")
        assert await reader.readexactly(10) == b"EARLY LATE"


async def test_where_a_client_stands() -> None:
    connections: set[Client] = set()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(Echo(), connections), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    while not connections:
        await asyncio.sleep(0)
    (connection,) = connections
    assert connection.position == ("idle", 0)
    for sent, state in (
        (b"POST /x HTTP/1.1\r\nHost", "head"),
        (b": h\r\nContent-Length: 3\r\n\r\na", "body"),
        (b"bc", "idle"),
        (b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na", "body"),
        (b"bc", "idle"),
        (b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n", "busy"),
    ):
        writer.write(sent)
        await asyncio.sleep(0.02)
        assert connection.position[0] == state
    connection.give_up()
    await reader.read()
    writer.close()
    await writer.wait_closed()
    server.close()
