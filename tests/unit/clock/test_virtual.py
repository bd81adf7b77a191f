import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from kybern.clock.virtual import Deadlock, RealIO, VirtualClock, run


def test_an_hour_takes_milliseconds() -> None:
    start = datetime(2030, 5, 6, tzinfo=UTC)

    async def main(clock: VirtualClock, random: Random) -> tuple[datetime, float]:
        await asyncio.sleep(3600)
        return clock.now(), asyncio.get_running_loop().time()

    before = time.perf_counter()
    now, elapsed = run(main, seed=1, start=start)
    assert (now, elapsed) == (start + timedelta(hours=1), 3600.0)
    assert time.perf_counter() - before < 0.5


def test_a_timer_beyond_a_day_is_reached() -> None:
    async def main(clock: VirtualClock, random: Random) -> float:
        await asyncio.sleep(400 * 86400)
        return clock.elapsed

    assert run(main, seed=1) == 400 * 86400


async def order_of_tasks(clock: VirtualClock, random: Random) -> list[str]:
    seen: list[str] = []

    async def worker(name: str) -> None:
        for step in range(3):
            await asyncio.sleep(1)
            seen.append(f"{name}{step}")

    async with asyncio.TaskGroup() as group:
        for name in "abcdefgh":
            group.create_task(worker(name))
    return seen


def test_the_seed_decides_the_order() -> None:
    first = run(order_of_tasks, seed=7)
    assert first == run(order_of_tasks, seed=7)
    assert sorted(first) == sorted(run(order_of_tasks, seed=8))
    assert len({tuple(run(order_of_tasks, seed=seed)) for seed in range(10)}) > 5


def test_random_is_given_and_repeats() -> None:
    async def main(clock: VirtualClock, random: Random) -> float:
        return random.random()

    assert run(main, seed=3) == run(main, seed=3) != run(main, seed=4)


def test_timeouts_and_callbacks_keep_their_order() -> None:
    async def main(clock: VirtualClock, random: Random) -> list[Any]:
        seen: list[Any] = []
        loop = asyncio.get_running_loop()
        for i in range(20):
            loop.call_soon(seen.append, i)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(10)
        seen.append(clock.elapsed)
        return seen

    assert run(main, seed=1) == [*range(20), 5.0]


def test_deadlock_names_who_waits() -> None:
    async def main(clock: VirtualClock, random: Random) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait(), name="waits for ever")

    with pytest.raises(Deadlock, match=r"waits for ever at .*locks.py"):
        run(main, seed=1)


def test_threads_run_inline() -> None:
    async def main(clock: VirtualClock, random: Random) -> int:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        return await asyncio.to_thread(lambda: 42)

    assert run(main, seed=1) == 42


@pytest.mark.parametrize(
    ("name", "reach"),
    [
        ("create_connection", lambda loop: asyncio.open_connection("127.0.0.1", 1)),
        ("create_server", lambda loop: asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)),
        ("subprocess_exec", lambda loop: asyncio.create_subprocess_exec("true")),
        ("getaddrinfo", lambda loop: loop.getaddrinfo("localhost", 1)),
    ],
)
def test_real_io_is_refused(name: str, reach: Callable[[Any], Awaitable[Any]]) -> None:
    async def main(clock: VirtualClock, random: Random) -> None:
        await reach(asyncio.get_running_loop())

    with pytest.raises(RealIO, match=f"loop.{name} reaches outside"):
        run(main, seed=1)


def test_a_socket_is_refused() -> None:
    async def main(clock: VirtualClock, random: Random) -> None:
        left, right = socket.socketpair()
        with left, right:
            await asyncio.get_running_loop().sock_recv(left, 1)

    with pytest.raises(RealIO):
        run(main, seed=1)
