"""Run a coroutine's first step at once, and make a task of it only if it suspends.

Most reads are answered from memory without waiting for anything; a task for each would cost more than the answer.
Inside the first step `asyncio.current_task()` is a stand-in that hands cancellation on to the later task, so
`asyncio.timeout` and `TaskGroup` work in it as in any task.
"""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
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


@types.coroutine
def _continue(coroutine: Coroutine[Any, Any, Any], waiting_for: Any) -> Generator[Any, Any, Any]:
    """The rest of a coroutine that has been started and waits for `waiting_for`."""
    while True:
        try:
            sent = yield waiting_for
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:
            step: Callable[[Any], Any] = coroutine.throw
            value: Any = error
        else:
            step, value = coroutine.send, sent
        try:
            waiting_for = step(value)
        except StopIteration as stop:
            return stop.value


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
    task = loop.create_task(_continue(coroutine, waiting_for))
    starting.become(task)
    return task
