"""What an open call of an Exchange waits with: a future for one reply, a bounded queue for many."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from kybern.kube.status import StatusError

MAX_REPLIES = 512  # replies that a reader has not taken yet


class Waiter(Protocol):
    """Where the replies to one call go."""

    def take(self, response: Any) -> bool:
        """A reply after which more follow; False if it does not fit."""
        ...

    def finish(self, response: Any) -> None:
        """The last reply."""
        ...

    def fail(self, error: StatusError) -> None: ...

    def note(self, flow: str) -> None:
        """The flow that the call was put in, before its first reply."""
        ...


Note = Callable[[str], None]


def ignore(flow: str) -> None:
    """A Note for those who do not want to know."""


class Single:
    """One reply."""

    __slots__ = ("_future", "note")

    def __init__(self, future: asyncio.Future[Any], note: Note = ignore) -> None:
        self._future = future
        self.note = note

    def take(self, response: Any) -> bool:
        return False

    def finish(self, response: Any) -> None:
        if not self._future.done():
            self._future.set_result(response)

    def fail(self, error: StatusError) -> None:
        if not self._future.done():
            self._future.set_exception(error)


class Stream:
    """Many replies, read by `async for`."""

    def __init__(self, note: Note = ignore) -> None:
        self.note = note
        self._replies: deque[Any] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._error: StatusError | None = None

    def take(self, response: Any) -> bool:
        if len(self._replies) >= MAX_REPLIES:
            return False
        self._replies.append(response)
        self._changed.set()
        return True

    def finish(self, response: Any) -> None:
        if response is not None:
            self._replies.append(response)
        self._ended = True
        self._changed.set()

    def fail(self, error: StatusError) -> None:
        self._error = error
        self.finish(None)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            while self._replies:
                yield self._replies.popleft()
            if self._ended:
                break
            self._changed.clear()
            await self._changed.wait()
        if self._error is not None:
            raise self._error
