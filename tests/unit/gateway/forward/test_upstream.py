"""The client's side of HTTP/1.1: heads, framings, and what goes wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.gateway.forward.upstream import Destination, Upstream, UpstreamError, parse_head

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_length_beside_chunks_is_none() -> None:
    assert parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n").length == b""
    assert parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\n").length == b""
    assert parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n").length == b"3"


def test_parse_head() -> None:
    head = parse_head(b"HTTP/1.1 404 Not Found Here\r\nA: 1\r\na:  2 \r\nEmpty:\r\n\r\n")
    assert (head.status, head.reason) == (404, b"Not Found Here")
    assert head.headers == [(b"A", b"1"), (b"a", b"2"), (b"Empty", b"")]
    assert head.value(b"a") == b"1"
    assert parse_head(b"HTTP/1.0 200\r\n\r\n").reason == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
        b"HTTP/1.1 200 O\nK\r\n\r\n",
    ],
)
def test_what_is_no_head(raw: bytes) -> None:
    with pytest.raises(UpstreamError, match="malformed"):
        parse_head(raw)


@given(st.binary())
def test_any_bytes_are_a_head_or_an_error(raw: bytes) -> None:
    try:
        parse_head(raw + b"\r\n\r\n")
    except UpstreamError:
        return


@asynccontextmanager
async def answering(said: bytes) -> AsyncIterator[Upstream]:
    """A connection to a server that says this and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    upstream = await Upstream.open(Destination("127.0.0.1", server.sockets[0].getsockname()[1]))
    try:
        yield upstream
    finally:
        upstream.close()
        server.close()
        await asyncio.sleep(0.01)


async def whole(said: bytes, method: str = "GET") -> tuple[int, bytes]:
    async with answering(said) as upstream:
        head = await upstream.head()
        return head.status, b"".join([piece async for piece in upstream.body(head, method)])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", (200, b"abc")),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", (200, b"abc")),
        (CHUNKED + b"3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: 1\r\n\r\n", (200, b"abcd")),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (200, b"")),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (304, b"")),
    ],
)  # fmt: skip
async def test_bodies(said: bytes, expected: tuple[int, bytes]) -> None:
    assert await whole(said) == expected


async def test_head_has_no_body() -> None:
    assert await whole(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD") == (200, b"")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"", "EOF"),
        (b"HTTP/1.1 200 OK\r\n", "unexpected EOF"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "unexpected EOF"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", "unexpected EOF"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", "invalid byte in chunk length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc", "invalid byte in chunk length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0_3\r\nabc", "invalid byte in chunk length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 17 + b"\r\n", "invalid byte in chunk"),
    ],
)
async def test_answers_that_break_off(said: bytes, message: str) -> None:
    with pytest.raises(UpstreamError, match=message):
        await whole(said)


async def test_nobody_listens() -> None:
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(UpstreamError, match=rf"^dial tcp 127\.0\.0\.1:{port}: connect: connection refused$"):
        await Upstream.open(Destination("127.0.0.1", port))
