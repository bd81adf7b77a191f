"""Channel protocols of exec, attach and classic port-forward: the first byte of a message says which stream it is.

0 stdin   1 stdout   2 stderr   3 error (a Status)   4 resize (JSON)   255 close of the channel that follows (v5)
port-forward: channel 2n is the data of the n-th port, 2n+1 its errors; each begins with the port, little endian
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
V1 = "channel.k8s.io"  # tells of failures in words, and of success by saying nothing
REMOTE_COMMAND = (V5, V4, V1)
TUNNEL = "SPDY/3.1+portforward.k8s.io"
LONGEST = 65535  # side of a terminal
LOG_BASE64 = "base64.binary.k8s.io"
LOG = ("binary.k8s.io", LOG_BASE64)
PORT_FORWARD = (TUNNEL, V4, "portforward.k8s.io")


def choose(offered: str, supported: Sequence[str]) -> str | None:
    """The first protocol of Sec-WebSocket-Protocol that is supported; None if there is none."""
    return next((name for name in (part.strip() for part in offered.split(",")) if name in supported), None)


@dataclass(frozen=True, slots=True)
class Stdin:
    data: bytes


@dataclass(frozen=True, slots=True)
class CloseStdin:
    """The client has sent all of stdin."""


@dataclass(frozen=True, slots=True)
class Resize:
    width: int
    height: int


Input = Stdin | CloseStdin | Resize


def read_input(message: bytes, protocol: str) -> Input | None:
    """What a client's message says; None for one that means nothing here and is ignored, as upstream."""
    if not message:
        return None
    match message[0]:
        case 0:
            return Stdin(message[1:]) if len(message) > 1 else None
        case 255 if protocol == V5 and message[1:2] == b"\x00":
            return CloseStdin()
        case 4:
            return read_size(message[1:])
    return None


def read_size(data: bytes) -> Resize | None:
    """A terminal's size; None for what is none."""
    try:
        size = orjson.loads(data)
        width, height = size["Width"], size["Height"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    fits = all(isinstance(side, int) and 0 <= side <= LONGEST for side in (width, height))
    return Resize(width, height) if fits else None


def channel_message(channel: int, data: bytes) -> bytes:
    return bytes((channel,)) + data


def greeting_channel(stdout: bool, stderr: bool) -> int:
    """The channel on which an empty message tells the client that it is connected."""
    return STDOUT if stdout else STDERR if stderr else ERROR


def read_ports(values: Iterable[str]) -> list[int]:
    """The `ports` query parameters, each a number or several with commas. Raises ValueError."""
    try:
        ports = [int(text) for value in values for text in value.split(",")]
    except ValueError:
        ports = []
    if not ports or any(not 0 < port < 65536 for port in ports):
        raise ValueError('query parameter "ports" must name ports between 1 and 65535')
    return ports


def port_greeting(channel: int, port: int) -> bytes:
    return channel_message(channel, port.to_bytes(2, "little"))
