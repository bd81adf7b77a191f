import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kybern.rpc.exchange.eager import start


async def begin(coroutine: Any) -> asyncio.Task[None] | None:
    return start(asyncio.get_running_loop(), coroutine)


async def test_no_task_without_waiting() -> None:
    seen: list[Any] = []

    async def work() -> None:
        seen.append(1)

    me = asyncio.current_task()
    assert await begin(work()) is None
    assert seen == [1]
    assert asyncio.current_task() is me


async def test_an_exception_in_the_first_step_passes() -> None:
    async def work() -> None:
        raise KeyError("x")

    me = asyncio.current_task()
    with pytest.raises(KeyError):
        await begin(work())
    assert asyncio.current_task() is me


async def sleeps() -> None:
    await asyncio.sleep(0.01)


async def yields() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def fails_later() -> None:
    await asyncio.sleep(0)
    raise KeyError("x")


async def times_out() -> None:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(20)
    except TimeoutError:
        raise KeyError("x") from None


async def a_group_fails() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fails_later())
        await asyncio.sleep(20)


async def a_group_ends() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(sleeps())
        group.create_task(sleeps())


async def catches_an_exception() -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.01, future.set_exception, KeyError("inner"))
    with pytest.raises(KeyError):
        await future
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("work", "error"),
    [
        (sleeps, None),
        (yields, None),
        (fails_later, KeyError),
        (times_out, KeyError),
        (a_group_fails, ExceptionGroup),
        (a_group_ends, None),
        (catches_an_exception, None),
    ],
)
async def test_a_task_continues(work: Callable[[], Awaitable[None]], error: type[Exception] | None) -> None:
    async with asyncio.timeout(1):
        task = await begin(work())
        assert task is not None
        if error is None:
            await task
        else:
            with pytest.raises(error):
                await task


async def test_cancel_reaches_the_coroutine() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    task = await begin(work())
    assert task is not None
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]


async def test_cancel_before_the_task_has_run() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(20)
        finally:
            seen.append("ended")

    task = await begin(work())
    assert task is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["ended"]


async def test_a_timeout_that_has_passed_already() -> None:
    async def work() -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(20)

    task = await begin(work())
    assert task is not None
    async with asyncio.timeout(1):
        with pytest.raises(TimeoutError):
            await task
