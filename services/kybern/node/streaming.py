"""Exec and attach streams at a runtime's streaming server, over SPDY/3.1 (`v4.channel.k8s.io`).

The server offers WebSocket, too, but `v4` has no way to end standard input there: `kubectl exec -i … < file` would wait
for ever. Over SPDY every channel is a stream of its own and can be half-closed.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import orjson

from kybern.kube.status import internal
from kybern.spdy.session import Data, GoneAway, Pinged, Reset, Session, SpdyError

PROTOCOL = "v4.channel.k8s.io"
STDIN, STDOUT, STDERR, ERROR, RESIZE = "stdin", "stdout", "stderr", "error", "resize"
CHUNK = 64 * 1024
CONNECT_SECONDS = 10.0


class Stream:
    """One open exec or attach. Channels are named as SPDY's `streamtype`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, channels: list[str]) -> None:
        self._reader, self._writer = reader, writer
        self._session = Session()
        self._ids = {channel: 2 * index + 1 for index, channel in enumerate(channels)}
        for channel, number in self._ids.items():
            writer.write(self._session.open(number, {"streamtype": channel}))

    @classmethod
    async def open(cls, url: str, channels: list[str]) -> "Stream":
        """Connect to the URL that the runtime gave and open the error channel and these. Raises StatusError."""
        parts = urlsplit(url)
        lines = [
            f"POST {parts.path}?{parts.query} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Connection: Upgrade",
            "Upgrade: SPDY/3.1",
            f"X-Stream-Protocol-Version: {PROTOCOL}",
            "Content-Length: 0",
        ]
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
                writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
                head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise internal(f"error dialing the container runtime: {error}") from None
        first_line = head.split(b"\r\n")[0].decode(errors="replace")
        if " 101 " not in first_line:
            body = (await reader.read(1000)).decode(errors="replace").strip()
            writer.close()
            raise internal(f"unable to upgrade connection: {body or first_line}")
        return cls(reader, writer, [ERROR, *channels])

    async def send(self, channel: str, data: bytes) -> None:
        """Bytes for a channel; nothing happens when it was not opened."""
        if channel in self._ids and data:
            self._writer.write(self._session.data(self._ids[channel], data))
            await self._writer.drain()

    async def resize(self, width: int, height: int) -> None:
        await self.send(RESIZE, orjson.dumps({"Width": width, "Height": height}))

    async def close_stdin(self) -> None:
        """The end of input."""
        if number := self._ids.pop(STDIN, 0):
            self._writer.write(self._session.data(number, b"", finished=True))
            await self._writer.drain()

    async def messages(self) -> AsyncIterator[tuple[str, bytes]]:
        """What comes out, by channel, until every channel that gives has ended."""
        names = {number: channel for channel, number in self._ids.items()}
        open_ = {number for number, channel in names.items() if channel in (STDOUT, STDERR, ERROR)}
        while open_ and (received := await self._reader.read(CHUNK)):
            try:
                events = list(self._session.receive(received))
            except SpdyError as error:
                raise internal(f"the container runtime's stream broke: {error}") from None
            for event in events:
                match event:
                    case Data(number, data, finished):
                        if data and number in names:
                            yield names[number], data
                        if finished:
                            open_.discard(number)
                    case Reset(number):
                        open_.discard(number)
                    case Pinged(id=number):
                        self._writer.write(self._session.ping(number))
                    case GoneAway():
                        open_.clear()

    async def close(self) -> None:
        self._writer.close()


def exit_status(code: int) -> dict[str, Any]:
    """The Status for a command that ended with this code, as a runtime says it."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
