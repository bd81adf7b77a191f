"""The short way of a watch as plain JSON: events are written to the client as they come in, without a task's turn.

Watches that are sent the same batch share its bytes. What a slow client has not taken waits in a bounded queue; when
that is full the watch ends, and the client resumes where it was.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from kybern.gateway.core.frames import Frames
from kybern.gateway.http.reply import ResponseStream
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import WatchResponse
from kybern.rpc.exchange.waiters import Note
from kybern.telemetry.observations import Observations

MAX_WAITING = 16 << 20  # bytes that a client has not taken


class WatchSink:
    """Where the batches of one watch go: a queue at first, the client itself once `follow` is called."""

    def __init__(self, frames: Frames, sizes: Observations, note: Note) -> None:
        self.note = note
        self._frames = frames
        self._sizes = sizes
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._stream: ResponseStream | None = None
        self._changed = asyncio.Event()
        self._begun = self._ended = False
        self._error: StatusError | None = None

    # The Exchange's side

    def take(self, response: WatchResponse) -> bool:
        self._begun = True
        data, framed = self._frames.of(response)
        self._sizes.observe_all(self._frames.sizes)
        if not data:
            self._changed.set()
        elif self._queue or self._stream is None or not self._stream.send_now(data, framed):
            self._size += len(data)
            self._queue.append(data)
            self._changed.set()
            return self._size <= MAX_WAITING
        return True

    def finish(self, response: Any) -> None:
        self._ended = True
        self._changed.set()

    def fail(self, error: StatusError) -> None:
        self._error = error
        self.finish(None)

    # The handler's side

    @property
    def stands(self) -> bool:
        """Whether there was a first reply."""
        return self._begun

    async def begun(self, patience: float) -> None:
        """Wait a moment for the first reply. Raises StatusError if the watch was refused."""
        try:
            async with asyncio.timeout(patience):
                while not self._begun and not self._ended:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return
        if self._error is not None:
            raise self._error

    async def follow(self, stream: ResponseStream) -> None:
        """Send everything until the watch ends. Raises StatusError, ConnectionResetError."""
        self._stream = stream
        while True:
            while self._queue:
                data = self._queue[0]
                await stream.write(data)
                self._queue.popleft()
                self._size -= len(data)
            if self._ended:
                break
            self._changed.clear()
            await self._changed.wait()
        if self._error is not None:
            raise self._error
