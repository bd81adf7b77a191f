"""Streams in the event loop and grpc.aio understand each other, and who gets in is the same."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from kybern.pki.contexts import client_context
from kybern.pki.source import FixedCertificateSource, KeyPair
from kybern.rpc.bidi import SUFFIX
from kybern.rpc.bidi.client import ClientStream
from kybern.rpc.exchange.link import Link
from kybern.rpc.grpc_transport import GrpcTransport
from kybern.rpc.http2.frames import END_HEADERS, HEADERS, PREFACE, frame
from kybern.rpc.identity import peer
from kybern.rpc.transport import Policy
from kybern.telemetry import Telemetry

NAME = "apiserver.kybern"
ECHO, WHO, BREAKS = "/test.Echo/Echo", "/test.Echo/Who", "/test.Echo/Breaks"
POLICY = Policy({"/test.Echo/": frozenset({"alice"})})
SIZES = (0, 1, 16_379, 16_384, 70_000, 3_000_000, 5)


async def echo(requests: Any, context: Any) -> None:
    """Send back what comes, over either kind of stream."""
    await context.send_initial_metadata(())
    if isinstance(requests, Link):
        await requests.run(requests.send, lambda: None)
    else:
        async for message in requests:
            await context.write(message)


async def who(requests: Any, context: Any) -> None:
    await context.send_initial_metadata(())
    requests.send(repr(peer(context)).encode())
    await requests.run(lambda message: None, lambda: None)


async def breaks(requests: Any, context: Any) -> None:
    raise ZeroDivisionError("ünexpected\n100 %")


class Server:
    """The echo service and streams to it."""

    def __init__(self, authority: Any, folder: Path) -> None:
        self.folder = folder
        self.path = f"{folder}/s.sock"
        self.source = FixedCertificateSource(authority.issue("system:kybern:apiserver", names=(NAME,)))
        self.transport = GrpcTransport(self.source, Telemetry("server"))
        self.server = self.transport.server(f"unix:{self.path}", POLICY)
        methods = {"Echo": echo, "Who": who, "Breaks": breaks}
        self.server.add_registered_method_handlers(
            "test.Echo", {name: grpc.stream_stream_rpc_method_handler(method) for name, method in methods.items()}
        )
        self.streams: list[ClientStream] = []

    async def connect(self, pair: KeyPair, method: str = ECHO, name: str = NAME, suffix: str = SUFFIX) -> ClientStream:
        stream = await ClientStream.connect(self.path + suffix, method, name, client_context(pair, ["h2"]))
        self.streams.append(stream)
        return stream

    async def close(self) -> None:
        for stream in self.streams:
            stream.cancel()
        await self.transport.close()


@pytest.fixture
async def server(authority: Any, tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(authority, tmp_path)
    await server.server.start()
    yield server
    await server.close()


@pytest.fixture
def alice(authority: Any) -> KeyPair:
    found: KeyPair = authority.issue("alice", ("dev",))
    return found


def messages() -> list[bytes]:
    return [random.Random(size).randbytes(size) for size in SIZES]


class Receiving:
    """What a stream hands over, and how it ends."""

    def __init__(self, stream: ClientStream) -> None:
        self.messages: list[bytes] = []
        self.task = asyncio.create_task(stream.run(self.messages.append, lambda: None))

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.messages) < count:
                await asyncio.sleep(0.01)

    async def error(self) -> grpc.aio.AioRpcError:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(self.task, 5)
        return caught.value


@pytest.mark.parametrize("suffix", [SUFFIX, ""], ids=["our server", "grpc.aio's server"])
async def test_messages_of_any_size(server: Server, alice: KeyPair, suffix: str) -> None:
    stream = await server.connect(alice, suffix=suffix)
    await stream.wait_for_connection()
    received = Receiving(stream)
    for message in messages():
        stream.send(message)
    await received.until(len(SIZES))
    assert received.messages == messages()


@pytest.mark.parametrize("suffix", [SUFFIX, ""], ids=["our server", "grpc.aio's server"])
async def test_a_client_on_grpc_aio(server: Server, alice: KeyPair, suffix: str) -> None:
    credentials = grpc.ssl_channel_credentials(alice.ca, alice.key, alice.cert)
    options = (("grpc.ssl_target_name_override", NAME), ("grpc.max_receive_message_length", 8 << 20))
    async with grpc.aio.secure_channel(f"unix:{server.path}{suffix}", credentials, options=options) as channel:
        call: Any = channel.stream_stream(ECHO)()  # type: ignore[call-arg]  # the stubs want what has defaults
        for message in messages():
            await call.write(message)
            assert await call.read() == message
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF  # type: ignore[attr-defined]  # not in the stubs
        assert await call.code() is grpc.StatusCode.OK


async def test_many_messages_to_a_reader_that_rests(server: Server, alice: KeyPair) -> None:
    stream = await server.connect(alice)
    received = Receiving(stream)
    sent = [os.urandom(100_000) for _ in range(100)]
    for message in sent:
        stream.send(message)
    stream.pause()
    await asyncio.sleep(0.2)
    assert len(received.messages) < len(sent), "10 MB do not fit between the two"
    stream.resume()
    await received.until(len(sent))
    assert received.messages == sent
    assert stream.writable


async def test_a_certificate_is_an_identity(server: Server, alice: KeyPair) -> None:
    received = Receiving(await server.connect(alice, WHO))
    await received.until(1)
    assert received.messages == [b"Identity(user='alice', groups=('dev',))"]


@pytest.mark.parametrize(
    ("method", "user", "code", "details"),
    [
        ("/test.Echo/Missing", "alice", grpc.StatusCode.UNIMPLEMENTED, "Method not found!"),
        (ECHO, "bob", grpc.StatusCode.PERMISSION_DENIED, 'forbidden: User "bob" cannot call /test.Echo/Echo'),
        (BREAKS, "alice", grpc.StatusCode.INTERNAL, "Internal error occurred: ünexpected\n100 %"),
    ],
)
async def test_a_stream_that_fails(
    server: Server, authority: Any, method: str, user: str, code: grpc.StatusCode, details: str
) -> None:
    stream = await server.connect(authority.issue(user), method)
    error = await Receiving(stream).error()
    assert (error.code(), error.details()) == (code, details)
    with pytest.raises(grpc.aio.AioRpcError):
        await stream.wait_for_connection()


async def test_a_certificate_of_another_ca(server: Server, authority: Any, new_authority: Callable[[], Any]) -> None:
    stranger = new_authority().issue("alice")
    pair = KeyPair(authority.pem, stranger.cert, stranger.key, stranger.not_after)  # trusts the server
    error = await Receiving(await server.connect(pair)).error()  # TLS 1.3: it hears of it after the handshake
    assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_an_expired_certificate(server: Server, authority: Any) -> None:
    error = await Receiving(await server.connect(authority.issue("alice", seconds=-5))).error()
    assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_server_with_another_name(server: Server, alice: KeyPair) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="certificate verify failed") as caught:
        await server.connect(alice, name="scheduler.kybern")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_nobody_listens(alice: KeyPair, tmp_path: Path) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="failed to connect") as caught:
        await ClientStream.connect(f"{tmp_path}/none", ECHO, NAME, client_context(alice, ["h2"]))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_server_follows_rotation(server: Server, authority: Any, alice: KeyPair) -> None:
    server.source.set(authority.issue("system:kybern:apiserver", names=("else.kybern",)))
    with pytest.raises(grpc.aio.AioRpcError, match="certificate verify failed"):
        await server.connect(alice)
    await (await server.connect(alice, name="else.kybern")).wait_for_connection()


async def test_what_is_no_grpc(server: Server, alice: KeyPair) -> None:
    """Other talk on the socket ends that connection alone."""
    context = client_context(alice, ["h2"])
    for greeting in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", PREFACE + frame(4, HEADERS, END_HEADERS, 1) + b"\xff" * 4):
        reader, writer = await asyncio.open_unix_connection(server.path + SUFFIX, ssl=context, server_hostname=NAME)
        writer.write(greeting)
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
    reader, writer = await asyncio.open_unix_connection(server.path + SUFFIX)
    writer.write(b"no TLS at all, though it is long enough to be a record of it")
    await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await (await server.connect(alice)).wait_for_connection()


async def test_a_stopped_server_is_gone(server: Server, alice: KeyPair) -> None:
    received = Receiving(await server.connect(alice))
    await server.server.stop(None)
    assert (await received.error()).code() is not grpc.StatusCode.OK
    assert not list(server.folder.glob("*.sock*"))
