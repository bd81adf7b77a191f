"""Exec and attach streams at a runtime's streaming server, over WebSocket (`v4.channel.k8s.io`).

One binary message is one channel's byte and its data: 0 stdin, 1 stdout, 2 stderr, 3 the final Status, 4 resize.
"""

from collections.abc import AsyncIterator
from typing import Any

import orjson
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType

from kybern.kube.status import StatusError, internal

PROTOCOL = "v4.channel.k8s.io"
STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
MAX_MESSAGE = 4 << 20


class Stream:
    """One open exec or attach."""

    def __init__(self, session: ClientSession, socket: ClientWebSocketResponse) -> None:
        self._session, self._socket = session, socket

    @classmethod
    async def open(cls, url: str) -> "Stream":
        """Connect to the URL that the runtime gave. Raises StatusError."""
        session = ClientSession()
        try:
            socket = await session.ws_connect(url, protocols=(PROTOCOL,), max_msg_size=MAX_MESSAGE, autoping=True)
        except (ClientError, OSError) as error:
            await session.close()
            raise internal(f"error dialing the container runtime: {error}") from None
        return cls(session, socket)

    async def send(self, channel: int, data: bytes) -> None:
        await self._socket.send_bytes(bytes([channel]) + data)

    async def resize(self, width: int, height: int) -> None:
        await self.send(RESIZE, orjson.dumps({"Width": width, "Height": height}))

    async def close_stdin(self) -> None:
        """The end of input: an empty message, which is all that this protocol has for it."""
        await self.send(STDIN, b"")

    async def messages(self) -> AsyncIterator[tuple[int, bytes]]:
        """What comes out, until the runtime closes; empty first messages of each channel are left out."""
        async for message in self._socket:
            if message.type is WSMsgType.BINARY and len(message.data) > 1:
                yield message.data[0], message.data[1:]

    async def close(self) -> None:
        await self._socket.close()
        await self._session.close()


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


__all__ = ["ERROR", "RESIZE", "STDERR", "STDIN", "STDOUT", "StatusError", "Stream", "exit_status"]
