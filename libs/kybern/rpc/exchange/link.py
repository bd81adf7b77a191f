"""What an Exchange needs of the stream that carries it, and how a stream of grpc.aio or of memory gives it.

Streams in the event loop (`kybern.rpc.bidi`) are links as they are.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import grpc

from kybern.rpc.exchange import eager
from kybern.rpc.streams import END_OF_STREAM


@runtime_checkable
class Link(Protocol):
    """Whole messages in both directions."""

    @property
    def writable(self) -> bool:
        """Whether `send` may be called now."""
        ...

    def send(self, message: bytes) -> None:
        """Send a message, in the order of the calls."""
        ...

    def pause(self) -> None:
        """Take no more messages for a while; those that have arrived are still handed over."""
        ...

    def resume(self) -> None: ...

    async def run(self, received: Callable[[bytes], None], roomy: Callable[[], None]) -> None:
        """Call `received` with each message until the peer ends the stream, and `roomy` when one can send again.

        Raises grpc.RpcError when the stream breaks.
        """
        ...

    async def drained(self) -> None:
        """Until what was sent is on its way."""
        ...


class StreamLink:
    """A link made of a stream with `read` and `write` coroutines."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._write: asyncio.Task[None] | None = None  # under way
        self._broken = False
        self._going = asyncio.Event()
        self._going.set()
        self._roomy: Callable[[], None] = lambda: None

    @property
    def writable(self) -> bool:
        return self._write is None and not self._broken

    def send(self, message: bytes) -> None:
        self._write = eager.start(self._loop, self._send(message))
        if self._write is not None:
            self._write.add_done_callback(self._written)

    async def _send(self, message: bytes) -> None:
        try:
            await self._stream.write(message)
        except (grpc.RpcError, grpc.aio.UsageError, grpc.aio.InternalError, asyncio.InvalidStateError):
            self._broken = True  # the reader learns why

    def _written(self, task: asyncio.Task[None]) -> None:
        self._write = None
        if not self._broken and not task.cancelled():
            self._roomy()

    def pause(self) -> None:
        self._going.clear()

    def resume(self) -> None:
        self._going.set()

    async def run(self, received: Callable[[bytes], None], roomy: Callable[[], None]) -> None:
        self._roomy = roomy
        try:
            while (message := await self._stream.read()) is not END_OF_STREAM:
                received(message)
                await self._going.wait()
        finally:
            if self._write is not None:
                self._write.cancel()

    async def drained(self) -> None:
        if self._write is not None:
            await asyncio.wait((self._write,))
