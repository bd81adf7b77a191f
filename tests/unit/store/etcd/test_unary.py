"""Short calls over HTTP/2, against a peer made of h2 that behaves and misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes

from kybern.store.etcd.unary import SMALL, UnaryConnection, connect

OK = [(":status", "200"), ("content-type", "application/grpc")]
METHOD = "/etcdserverpb.KV/Txn"
Reply = Callable[["Peer", int, bytes], None]


class Peer(asyncio.Protocol):
    """A gRPC server that answers with `reply`."""

    def __init__(self, reply: Reply, settings: dict[int, int]) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.reply, self.settings = reply, settings
        self.requests: dict[int, tuple[dict[str, str], bytes]] = {}
        self.resets: list[int] = []
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.h2.initiate_connection()
        if self.settings:
            self.h2.update_settings(self.settings)
        self.flush()

    def flush(self) -> None:
        self.transport.write(self.h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            match event:
                case RequestReceived(stream_id=stream):
                    self.requests[stream] = (dict(event.headers), b"")
                case DataReceived(stream_id=stream):
                    headers, before = self.requests[stream]
                    self.requests[stream] = (headers, before + event.data)
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
                case StreamEnded(stream_id=stream):
                    self.reply(self, stream, self.requests[stream][1])
                case StreamReset(stream_id=stream):
                    self.resets.append(stream)
        self.flush()

    def answer(self, stream: int, message: bytes) -> None:
        self.h2.send_headers(stream, OK)
        data = b"\0" + len(message).to_bytes(4, "big") + message
        for start in range(0, len(data), 16_000):
            self.h2.send_data(stream, data[start : start + 16_000])
        self.h2.send_headers(stream, [("grpc-status", "0")], end_stream=True)

    def refuse(self, stream: int, status: int, message: str) -> None:
        trailers = [("grpc-status", str(status)), ("grpc-message", message)]
        self.h2.send_headers(stream, OK + trailers, end_stream=True)


def echo(peer: Peer, stream: int, data: bytes) -> None:
    peer.answer(stream, data[5:])


@asynccontextmanager
async def connected(
    reply: Reply, timeout: float = 5.0, settings: dict[int, int] | None = None
) -> AsyncIterator[tuple[UnaryConnection, Peer]]:
    """A connection that takes calls, and its peer."""
    loop = asyncio.get_running_loop()
    peer = Peer(reply, settings or {})
    server = await loop.create_server(lambda: peer, "127.0.0.1", 0)
    try:
        connection = await connect(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", None, timeout)
        assert not connection.takes(1), "the peer has said nothing yet"
        async with asyncio.timeout(5):
            while not connection.takes(1):
                await asyncio.sleep(0.001)
        yield connection, peer
        connection.close()
        await asyncio.sleep(0.01)
    finally:
        server.close()
        await server.wait_closed()


async def failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_calls_at_once() -> None:
    async with connected(echo) as (connection, peer):
        messages = [f"{number}".encode() * number for number in range(50)]
        assert await asyncio.gather(*(connection.call(METHOD, message) for message in messages)) == messages
        headers, _ = peer.requests[1]
        assert headers[":path"] == METHOD
        assert (headers["te"], headers["hasleader"], headers["grpc-timeout"]) == ("trailers", "true", "5000m")


async def test_a_long_answer() -> None:
    async with connected(lambda peer, stream, _: peer.answer(stream, b"x" * 1_000_000)) as (connection, _):
        assert await connection.call(METHOD, b"") == b"x" * 1_000_000


async def test_an_error() -> None:
    def reply(peer: Peer, stream: int, _: bytes) -> None:
        peer.refuse(stream, 5, "etcdserver: requested lease%20not found")

    async with connected(reply) as (connection, _):
        error = await failure(connection.call(METHOD, b""))
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert error.details() == "etcdserver: requested lease not found"
        assert connection.takes(1)


async def test_the_room_that_the_peer_gives() -> None:
    async with connected(lambda peer, stream, data: None) as (connection, _):
        assert not connection.takes(SMALL + 1)
        calls = [asyncio.create_task(connection.call(METHOD, b"x" * 15_000)) for _ in range(4)]
        await asyncio.sleep(0)
        assert not connection.takes(15_000)
        async with asyncio.timeout(5):
            while not connection.takes(15_000):
                await asyncio.sleep(0.001)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_as_many_streams_as_the_peer_allows() -> None:
    limit = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
    async with connected(lambda peer, stream, data: None, settings=limit) as (connection, peer):
        async with asyncio.timeout(5):
            while peer.h2.local_settings.max_concurrent_streams != 1:
                await asyncio.sleep(0.001)
        call = asyncio.create_task(connection.call(METHOD, b""))
        await asyncio.sleep(0.01)
        assert not connection.takes(1)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await asyncio.sleep(0.01)
        assert connection.takes(1)
        assert peer.resets == [1], "a call that nobody waits for is cancelled"


def reset(peer: Peer, stream: int, data: bytes) -> None:
    peer.h2.reset_stream(stream, 7)


def hang_up(peer: Peer, stream: int, data: bytes) -> None:
    peer.transport.abort()


def babble(peer: Peer, stream: int, data: bytes) -> None:
    peer.transport.write(b"\0\0\1\x09\0\0\0\0\1x")


def half(peer: Peer, stream: int, data: bytes) -> None:
    peer.h2.send_headers(stream, OK)
    peer.h2.send_data(stream, b"\0\0\0\0\x09half")
    peer.h2.send_headers(stream, [("grpc-status", "0")], end_stream=True)


@pytest.mark.parametrize(
    ("reply", "code", "ended"),
    [
        (reset, grpc.StatusCode.UNAVAILABLE, False),
        (hang_up, grpc.StatusCode.UNAVAILABLE, True),
        (babble, grpc.StatusCode.UNAVAILABLE, True),
        (half, grpc.StatusCode.INTERNAL, False),
        (lambda peer, stream, data: None, grpc.StatusCode.DEADLINE_EXCEEDED, True),
    ],
    ids=["a stream is reset", "the connection is lost", "no HTTP/2", "half a message", "no answer"],
)
async def test_what_goes_wrong(reply: Reply, code: grpc.StatusCode, ended: bool) -> None:
    async with connected(reply, timeout=0.2) as (connection, _):
        error = await failure(connection.call(METHOD, b"x"))
        assert error.code() is code
        assert connection.ended is ended


async def test_a_peer_that_goes_away_answers_first() -> None:
    def frame(kind: int, flags: int, payload: bytes) -> bytes:
        return len(payload).to_bytes(3, "big") + bytes([kind, flags, 0, 0, 0, 1]) + payload

    headers = frame(1, 4, b"\x20\x88")  # no table, :status 200
    late = headers + frame(0, 0, b"\0\0\0\0\2ok") + frame(1, 5, b"\0\x0bgrpc-status\x010")

    def reply(peer: Peer, stream: int, data: bytes) -> None:
        peer.h2.close_connection(last_stream_id=stream)  # after which h2 sends nothing
        asyncio.get_running_loop().call_later(0.05, peer.transport.write, late)

    async with connected(reply) as (connection, _):
        call = asyncio.create_task(connection.call(METHOD, b"x"))
        async with asyncio.timeout(5):
            while not connection.ended:
                await asyncio.sleep(0.001)
        assert await call == b"ok"
