"""The server's end of an in-memory call: the ServicerContext that a handler is given."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn

import grpc

from kybern.rpc.memory.call import MemoryCall
from kybern.rpc.memory.wire import (
    HalfClose,
    InitialMetadata,
    Message,
    ToServer,
    Trailers,
    as_pairs,
    deserialize,
    serialize,
)
from kybern.rpc.streams import END_OF_STREAM
from kybern.rpc.transport import Identity


class MemoryContext:
    """One RPC as its handler sees it."""

    def __init__(self, call: MemoryCall, codecs: tuple[Any, Any]) -> None:
        self._call = call
        self._loop = asyncio.get_running_loop()
        self.identity: Identity = call.identity
        self._deserializer, self._serializer = codecs
        self._inbox: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._half_closed = self._cancelled = self._started = self._done = False
        self._code: grpc.StatusCode | None = None
        self._details = ""
        self._trailing: Any = ()
        self._callbacks: list[Callable[[Any], None]] = []
        self.task: asyncio.Task[None] | None = None

    def receive(self, item: ToServer) -> None:
        """An item from the client has arrived."""
        if isinstance(item, Message):
            self._inbox.append(item.data)
        elif isinstance(item, HalfClose):
            self._half_closed = True
        else:
            self._cancelled = not self._done
            if self.task is not None and not self._done:
                self.task.cancel()
        self._news.set()

    async def read(self) -> Any:
        """The next request, `grpc.aio.EOF` after the last."""
        while not self._inbox:
            if self._half_closed:
                return END_OF_STREAM
            self._news.clear()
            await self._news.wait()
        self._call.taken_by_server()
        return deserialize(self._deserializer, self._inbox.popleft())

    async def requests(self) -> AsyncIterator[Any]:
        """The requests of a stream."""
        while (message := await self.read()) is not END_OF_STREAM:
            yield message

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        if self._started:
            raise grpc.aio.UsageError("Initial metadata already sent")
        self._started = True
        self._call.to_client.put(InitialMetadata(as_pairs(initial_metadata)))

    async def write(self, message: Any) -> None:
        """Send a response, waiting while the client has too many unread."""
        if self._done:
            raise grpc.aio.UsageError("RPC already finished.")
        if not self._started:
            await self.send_initial_metadata(())
        self._call.to_client.put(Message(serialize(self._serializer, message)))
        await self._call.to_client.room()

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> NoReturn:
        if code is grpc.StatusCode.OK:
            code, details = grpc.StatusCode.UNKNOWN, "abort was called with OK"
        self._code, self._details = code, details
        self._trailing = trailing_metadata or self._trailing
        raise grpc.aio.AbortError("Locally aborted.")

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        await self.abort(status.code, status.details, status.trailing_metadata)
        raise AssertionError("abort returned")

    def trailers(self, otherwise: grpc.StatusCode = grpc.StatusCode.OK) -> Trailers:
        """The status that the handler has set."""
        return Trailers(self._code or otherwise, self._details, as_pairs(self._trailing))

    def finish(self, trailers: Trailers) -> None:
        """The handler has ended."""
        self._done = True
        self._call.to_client.put(trailers)
        for callback in self._callbacks:
            self._loop.call_soon(callback, self)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._trailing = trailing_metadata

    def trailing_metadata(self) -> Any:
        return self._trailing

    def invocation_metadata(self) -> Any:
        return self._call.metadata

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def set_details(self, details: str) -> None:
        self._details = details

    def code(self) -> grpc.StatusCode | None:
        return self._code

    def details(self) -> str:
        return self._details

    def set_compression(self, compression: grpc.Compression) -> None:
        """Nothing is compressed in memory."""

    def disable_next_message_compression(self) -> None:
        """Nothing is compressed in memory."""

    def peer(self) -> str:
        return f"memory:{self.identity.user}"

    def auth_context(self) -> dict[str, list[bytes]]:
        return {"x509_common_name": [self.identity.user.encode()]}

    def peer_identities(self) -> list[bytes]:
        return [self.identity.user.encode()]

    def peer_identity_key(self) -> str:
        return "x509_common_name"

    def time_remaining(self) -> float | None:
        return self._call.time_remaining()

    def cancelled(self) -> bool:
        return self._cancelled

    def done(self) -> bool:
        return self._done

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)
