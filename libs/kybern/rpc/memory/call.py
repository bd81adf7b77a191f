"""The client's end of an in-memory call; behaves like the four call classes of grpc.aio.

It ends once: by the server's trailers, its deadline, `cancel`, or a lost connection.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import grpc

from kybern.rpc.memory.network import MemoryNetwork
from kybern.rpc.memory.pipe import Pipe
from kybern.rpc.memory.wire import (
    Cancelled,
    HalfClose,
    Message,
    Open,
    Pairs,
    ToClient,
    ToServer,
    Trailers,
    deserialize,
    serialize,
)
from kybern.rpc.streams import END_OF_STREAM
from kybern.rpc.transport import Identity

LOCALLY_CANCELLED = Trailers(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")
EXPIRED = Trailers(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
FINISHED = "RPC already finished."
RETRY = 0.05  # seconds between attempts of a call that waits for its server


class MemoryCall:
    """One RPC as its caller sees it."""

    def __init__(
        self,
        network: MemoryNetwork,
        identity: Identity,
        target: str,
        method: str,
        codecs: tuple[Any, Any],
        metadata: Pairs,
        timeout: float | None,
        wait_for_ready: bool,
    ) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self.number = network.number_call()
        self.identity, self.target, self.method, self.metadata = identity, target, method, metadata
        self.deadline = None if timeout is None else loop.time() + timeout
        self._network = network
        self._serializer, self._deserializer = codecs
        self._wait_for_ready = wait_for_ready
        self._early: deque[ToServer] = deque()  # arrived before the server was found
        self._receiver: Callable[[ToServer], None] | None = None  # the server's end
        self._to_server: Pipe[ToServer] = Pipe(network, self._at_server)
        self.to_client: Pipe[ToClient] = Pipe(network, self._at_client)
        self._inbox: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._initial: Pairs | None = None
        self._ended: Trailers | None = None
        self._callbacks: list[Callable[[Any], None]] = []
        self._response: asyncio.Future[Any] | None = None
        self._half_closed = False
        self._writer: asyncio.Task[None] | None = None
        self._timer = None if timeout is None else loop.call_later(timeout, self.end, EXPIRED)
        self._to_server.put(Open())

    def _at_server(self, item: ToServer) -> None:
        """An item has reached the server's machine."""
        if not isinstance(item, Message):
            self._to_server.taken()
        if isinstance(item, Open):
            self._connect()
        elif self._receiver is None:
            self._early.append(item)
        else:
            self._receiver(item)

    def _connect(self) -> None:
        if self._ended is not None:
            return
        server = self._network.find(self.identity.user, self.target)
        if server is not None:
            self._network.opened(self)
            self._receiver = server.accept(self)
            while self._early:
                self._receiver(self._early.popleft())
        elif self._wait_for_ready:
            self._loop.call_later(RETRY, self._connect)
        else:
            self.end(Trailers(grpc.StatusCode.UNAVAILABLE, f"failed to connect: nobody listens at {self.target}"))

    def _at_client(self, item: ToClient) -> None:
        """An item has reached the client's machine."""
        if isinstance(item, Trailers):
            self.end(item)
        elif isinstance(item, Message):
            self._inbox.append(item.data)
        else:
            self._initial = item.pairs
            self.to_client.taken()
        self._news.set()

    def taken_by_server(self) -> None:
        """The server has used an item that the client sent."""
        self._to_server.taken()

    def end(self, trailers: Trailers) -> None:
        """The call is over for the client, whatever the server still does."""
        if self._ended is not None:
            return
        self._ended = trailers
        if self._receiver is not None:
            self._to_server.put(Cancelled())  # the server ignores it if it has ended the call itself
        for pipe in (self._to_server, self.to_client):
            pipe.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._writer is not None:
            self._writer.cancel()
        self._news.set()
        self._network.closed(self)
        for callback in self._callbacks:
            self._loop.call_soon(callback, self)

    # ── reading ──

    async def read(self) -> Any:
        """The next message; `grpc.aio.EOF` after the last one of a call that succeeded."""
        try:
            while True:
                if self._inbox:
                    self.to_client.taken()
                    return deserialize(self._deserializer, self._inbox.popleft())
                if self._ended is not None:
                    self._raise_if_failed(self._ended)
                    return END_OF_STREAM
                self._news.clear()
                await self._news.wait()
        except asyncio.CancelledError:
            self.cancel()
            raise

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (message := await self.read()) is not END_OF_STREAM:
            yield message

    def __await__(self) -> Generator[Any, None, Any]:
        return self._unary_response().__await__()

    async def _unary_response(self) -> Any:
        if self._response is None:
            self._response = self._loop.create_future()
            self._response.add_done_callback(lambda done: done.cancelled() or done.exception())
            try:
                message = await self.read()
                await self.code()
                self._raise_if_failed(self._ended)
                self._response.set_result(message)
            except asyncio.CancelledError:
                self.cancel()
                self._response.cancel()
                raise
            except grpc.RpcError as error:
                self._response.set_exception(error)
        return await asyncio.shield(self._response)

    def _raise_if_failed(self, trailers: Trailers | None) -> None:
        if trailers is LOCALLY_CANCELLED:
            raise asyncio.CancelledError
        if trailers is not None and trailers.code is not grpc.StatusCode.OK:
            initial, trailing = grpc.aio.Metadata(*(self._initial or ())), grpc.aio.Metadata(*trailers.pairs)
            raise grpc.aio.AioRpcError(trailers.code, initial, trailing, trailers.details, None)

    # ── writing ──

    def send(self, message: Any) -> None:
        """Write without waiting for room: the request of a unary call."""
        self._to_server.put(Message(serialize(self._serializer, message)))

    async def write(self, message: Any) -> None:
        """Write one message, waiting while the server has too many unread."""
        if self._ended is not None:
            self._raise_if_failed(self._ended)
        if self._ended is not None or self._half_closed:
            raise asyncio.InvalidStateError(FINISHED)
        self.send(message)
        await self._to_server.room()

    async def done_writing(self) -> None:
        """Tell the server that no message follows."""
        self.half_close()

    def half_close(self) -> None:
        """`done_writing`, at once."""
        if self._ended is None and not self._half_closed:
            self._half_closed = True
            self._to_server.put(HalfClose())

    def write_all(self, requests: Any) -> None:
        """Write what an iterator gives, in the background of this call."""
        self._writer = self._loop.create_task(self._write_all(requests))

    async def _write_all(self, requests: Any) -> None:
        if hasattr(requests, "__aiter__"):
            async for request in requests:
                await self.write(request)
        else:
            for request in requests:
                await self.write(request)
        self.half_close()

    # ── state ──

    def cancel(self) -> bool:
        """Give the call up; False if it has ended already."""
        if self._ended is not None:
            return False
        self.end(LOCALLY_CANCELLED)
        return True

    def cancelled(self) -> bool:
        return self._ended is not None and self._ended.code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        return self._ended is not None

    def time_remaining(self) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - self._loop.time())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self._ended is not None:
            self._loop.call_soon(callback, self)
        else:
            self._callbacks.append(callback)

    async def _end(self) -> Trailers:
        while self._ended is None:
            self._news.clear()
            await self._news.wait()
        return self._ended

    async def code(self) -> grpc.StatusCode:
        return (await self._end()).code

    async def details(self) -> str:
        return (await self._end()).details

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata(*(await self._end()).pairs)

    async def initial_metadata(self) -> grpc.aio.Metadata:
        while self._initial is None and self._ended is None:
            self._news.clear()
            await self._news.wait()
        return grpc.aio.Metadata(*(self._initial or ()))

    async def wait_for_connection(self) -> None:
        """Until the server has answered with its initial metadata; raises if the call fails before."""
        await self.initial_metadata()
        self._raise_if_failed(self._ended)
