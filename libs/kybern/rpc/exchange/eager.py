"""Run a coroutine's first step at once, and make a task of it only if it suspends.

Most reads are answered from memory without waiting for anything; a task for each would cost more than the answer.
Inside the first step `asyncio.current_task()` is a stand-in that hands cancellation on to the later task, so
`asyncio.timeout` and `TaskGroup` work in it as in any task.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


class _Starting:
    """Stands for the task that a coroutine may become."""

    def __init__(self) -> None:
        self.task: asyncio.Task[Any] | None = None
        self._requests = 0

    def cancel(self, msg: Any = None) -> bool:
        if self.task is not None:
            return self.task.cancel(msg)
        self._requests += 1
        return True

    def uncancel(self) -> int:
        if self.task is not None:
            return self.task.uncancel()
        self._requests = max(0, self._requests - 1)
        return self._requests

    def cancelling(self) -> int:
        return self.task.cancelling() if self.task is not None else self._requests

    def done(self) -> bool:
        return self.task is not None and self.task.done()

    def get_name(self) -> str:
        return "starting"

    def become(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        for _ in range(self._requests):
            task.cancel()


class _Rest(Coroutine[Any, Any, None]):
    """What is left of a coroutine that has been started and waits for `waiting_for`.

    A task's first step finds it where it stands: it waits on, or is cancelled as if it had been a task all along.
    """

    __slots__ = ("_coroutine", "_first", "_waiting_for")

    def __init__(self, coroutine: Coroutine[Any, Any, None], waiting_for: Any) -> None:
        self._coroutine = coroutine
        self._waiting_for = waiting_for
        self._first = True

    def send(self, value: Any) -> Any:
        if self._first:
            self._first = False
            return self._waiting_for
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        if self._first:
            self._first = False
            if self._waiting_for is not None and self._waiting_for.cancel():
                return self._waiting_for
        return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, None]:
        return self._coroutine.__await__()


def start(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run the coroutine until it waits for something: the task that continues it then, None if it ended before."""
    current = asyncio.current_task(loop)
    starting: Any = _Starting()
    if current is not None:
        asyncio.tasks._leave_task(loop, current)
    asyncio.tasks._enter_task(loop, starting)
    try:
        waiting_for = coroutine.send(None)
    except StopIteration:
        return None
    finally:
        asyncio.tasks._leave_task(loop, starting)
        if current is not None:
            asyncio.tasks._enter_task(loop, current)
    task = loop.create_task(_Rest(coroutine, waiting_for))
    starting.become(task)
    return task
