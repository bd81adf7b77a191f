"""One end of a stream against bytes of every kind: cut anywhere, with narrow windows, or nonsense."""

import asyncio
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kybern.rpc.bidi.client import STREAM, ClientStream
from kybern.rpc.http2.frames import (
    DATA,
    END_HEADERS,
    FIRST_WINDOW,
    HEAD,
    HEADERS,
    INITIAL_WINDOW,
    PING,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    header_block,
    settings,
)

ANSWER = header_block(((":status", "200"), ("content-type", "application/grpc")))


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int) -> None: ...

    def close(self) -> None:
        self.closed = True

    abort = close

    def frames(self, kind: int) -> list[bytes]:
        """The payloads of one kind written so far."""
        at, found = self.written.find(frame(6 * 4, SETTINGS, 0, 0)), []
        while at < len(self.written):
            length = int.from_bytes(self.written[at : at + 3], "big")
            if self.written[at + 3] == kind:
                found.append(self.written[at + HEAD : at + HEAD + length])
            at += HEAD + length
        return found


def opened() -> tuple[ClientStream, Wire, list[bytes]]:
    received: list[bytes] = []
    stream, wire = ClientStream("/a/b", "name"), Wire()
    stream.connection_made(wire)
    stream.follow(received.append, lambda: None)
    return stream, wire, received


def data(payload: bytes, size: int) -> bytes:
    """DATA frames of at most so many bytes."""
    parts = [payload[at : at + size] for at in range(0, len(payload), size)]
    return b"".join(frame(len(part), DATA, 0, STREAM) + part for part in parts)


def message(content: bytes) -> bytes:
    return b"\0" + len(content).to_bytes(4, "big") + content


@given(
    contents=st.lists(st.binary(max_size=60), max_size=6),
    size=st.integers(1, 80),
    cuts=st.lists(st.integers(0, 500), max_size=8),
)
def test_messages_arrive_however_they_are_cut(contents: list[bytes], size: int, cuts: list[int]) -> None:
    async def run() -> None:
        stream, _, received = opened()
        head = settings((INITIAL_WINDOW, 100)) + frame(len(ANSWER), HEADERS, END_HEADERS, STREAM) + ANSWER
        whole = head + data(b"".join(map(message, contents)), size)
        places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
        for start, end in pairwise(places):
            stream.data_received(whole[start:end])
        await stream.wait_for_connection()
        assert received == contents

    asyncio.run(run())


@given(noise=st.binary(max_size=200))
def test_noise_ends_the_stream_at_most(noise: bytes) -> None:
    async def run() -> None:
        stream, wire, _ = opened()
        stream.data_received(noise)
        if not wire.closed:
            stream.data_received(frame(8, PING, 0, 0) + b"are you?")

    asyncio.run(run())


async def test_narrow_windows_are_kept_to() -> None:
    stream, wire, _ = opened()
    stream.data_received(frame(6, SETTINGS, 0, 0) + INITIAL_WINDOW.to_bytes(2, "big") + (10).to_bytes(4, "big"))
    roomy: list[bool] = []
    stream.follow(lambda message: None, lambda: roomy.append(True))
    stream.send(b"abcdefgh")
    assert b"".join(wire.frames(DATA)) == message(b"abcdefgh")[:10]
    assert not stream.writable
    stream.data_received(frame(4, WINDOW_UPDATE, 0, STREAM) + (2).to_bytes(4, "big"))
    assert b"".join(wire.frames(DATA)) == message(b"abcdefgh")[:12]
    assert not roomy
    stream.data_received(frame(4, WINDOW_UPDATE, 0, STREAM) + (FIRST_WINDOW).to_bytes(4, "big"))
    assert b"".join(wire.frames(DATA)) == message(b"abcdefgh")
    assert roomy
    assert stream.writable


async def test_the_connections_window_counts_too() -> None:
    stream, wire, _ = opened()
    stream.data_received(frame(6, SETTINGS, 0, 0) + INITIAL_WINDOW.to_bytes(2, "big") + (1 << 20).to_bytes(4, "big"))
    stream.send(bytes(100_000))
    assert len(b"".join(wire.frames(DATA))) == FIRST_WINDOW
    stream.data_received(frame(4, WINDOW_UPDATE, 0, 0) + (1 << 20).to_bytes(4, "big"))
    assert b"".join(wire.frames(DATA)) == message(bytes(100_000))


async def test_pings_are_answered() -> None:
    stream, wire, _ = opened()
    stream.data_received(frame(8, PING, 0, 0) + b"12345678")
    assert wire.frames(PING) == [b"12345678"]


async def test_a_lost_connection_takes_nothing() -> None:
    stream, _, _ = opened()
    stream.connection_lost(None)
    stream.send(b"x")
    stream.pause()
    stream.resume()
    stream.cancel()
    assert not stream.writable


def test_roomy_is_not_needed_before_the_link_runs() -> None:
    async def run() -> Any:
        stream = ClientStream("/a/b", "name")
        stream.connection_made(Wire())
        stream.pause_writing()
        assert not stream.writable
        stream.resume_writing()
        return stream.writable

    assert asyncio.run(run())
