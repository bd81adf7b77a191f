"""The calls that arrive over a stream are started in the callback in which they came.

After a while at a stretch the other streams have their turn. Reading pauses while the calls open, or the replies that
wait to be sent, are too many.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterator
from typing import Protocol

from google.protobuf.message import DecodeError

from kybern.kube import status as statuses
from kybern.rpc.exchange.batch import Outbox
from kybern.rpc.exchange.link import Link
from kybern.rpc.exchange.remembered import calls

SLICE = 0.005  # seconds that calls of one stream are started at a stretch


class Answering(Protocol):
    """Who starts the calls."""

    def take(self, call_id: int, rest: bytes, data: bytes) -> None:
        """Start a call: its id, the bytes after it, and all its bytes."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether more may be started."""
        ...

    def room(self) -> Awaitable[None]:
        """Until more may be started."""
        ...


class Intake:
    """The messages of one link, taken apart."""

    def __init__(self, link: Link, outbox: Outbox, answering: Answering) -> None:
        self._link, self._outbox, self._answering = link, outbox, answering
        self._loop = asyncio.get_running_loop()
        self._messages: deque[Iterator[tuple[int, bytes, bytes]]] = deque()  # as the calls still to start
        self._working = self._paused = False
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._waiting: asyncio.Task[None] | None = None  # for room

    async def run(self) -> None:
        """Start calls until the client ends the stream; raises what ended it otherwise."""
        reading = asyncio.create_task(self._link.run(self._receive, self._outbox.flush), name="exchange link")
        try:
            await asyncio.wait((reading, self._closed), return_when=asyncio.FIRST_COMPLETED)
            (reading if reading.done() else self._closed).result()
        finally:
            self.close()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def close(self) -> None:
        """Start no further call."""
        self._messages.clear()
        if self._waiting is not None:
            self._waiting.cancel()
        if not self._closed.done():
            self._closed.set_result(None)

    def _receive(self, message: bytes) -> None:
        if self._closed.done():
            return
        self._messages.append(calls(message))
        if not self._working:
            self._working = True
            self._work()

    def _work(self) -> None:
        time, messages = self._loop.time, self._messages
        until = time() + SLICE
        self._outbox.hold()
        try:
            while messages:
                for call_id, rest, data in messages[0]:
                    self._answering.take(call_id, rest, data)
                    if time() > until:
                        self._rest()
                        self._loop.call_soon(self._work)
                        return
                if messages:  # not closed meanwhile
                    messages.popleft()
                if not self._answering.has_room:
                    self._rest()
                    self._waiting = self._loop.create_task(self._wait_for_room(), name="exchange room")
                    return
        except (ValueError, DecodeError) as error:
            self._fail(error)
        finally:
            self._outbox.flush()
        self._working = False
        if self._paused:
            self._paused = False
            self._link.resume()

    def _fail(self, error: Exception) -> None:
        if not self._closed.done():
            self._closed.set_exception(statuses.bad_request(f"this is no ExchangeRequest: {error}"))
        self._messages.clear()

    def _rest(self) -> None:
        if not self._paused:
            self._paused = True
            self._link.pause()

    async def _wait_for_room(self) -> None:
        await self._answering.room()
        self._waiting = None
        self._work()
