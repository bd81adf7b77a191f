"""exec and attach over SPDY: the protocol that is agreed on, and the streams a client has to open for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson

from kybern.gateway.core.channels import Resize, read_size

HEADER = b"x-stream-protocol-version"
ACCEPTED = b"X-Accepted-Stream-Protocol-Versions"
SPDY = b"spdy/3.1"
V4, V3, V2, V1 = "v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"
REMOTE_COMMAND = (V4, V3, V2, V1)
PORT_FORWARD = ("portforward.k8s.io",)


def offered(headers: Iterable[str]) -> list[str]:
    """The protocols a client can speak, as it prefers them: a header each, or several with commas."""
    return [name for value in headers for name in (part.strip() for part in value.split(",")) if name]


def choose(client: Sequence[str], server: Sequence[str]) -> str | None:
    """The first of the client's that the server speaks."""
    return next((name for name in client if name in server), None)


def expected(protocol: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> frozenset[str]:
    """The streams that a client opens, each named in its header `streamtype`."""
    wanted = {"error": True, "stdin": stdin, "stdout": stdout, "stderr": stderr and not tty}
    wanted["resize"] = tty and protocol in (V4, V3)
    return frozenset(name for name, on in wanted.items() if on)


def final(protocol: str, status: bytes) -> bytes:
    """What the error stream says at the end: a Status since v4, before that a message if there is one to give."""
    if protocol == V4:
        return status
    try:
        said = orjson.loads(status)
    except orjson.JSONDecodeError:
        return status
    if said.get("status") == "Success":
        return b""
    return str(said.get("message") or "").encode()


def sizes(data: bytes) -> list[Resize]:
    """Terminal sizes: JSON objects, one after the other."""
    return [size for line in data.splitlines() if (size := read_size(line)) is not None]
