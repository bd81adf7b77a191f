"""Profiles of this process."""

import asyncio
import threading

import pytest

from kybern.runtime import sampling
from kybern.telemetry.pprof import profile


def burn(stop: threading.Event) -> None:
    while not stop.is_set():
        sum(range(1000))


def test_what_works_is_seen_and_what_waits_is_not() -> None:
    stop, end = threading.Event(), threading.Event()
    threads = [threading.Thread(target=burn, args=(end,)), threading.Thread(target=end.wait, args=(10,))]
    for thread in threads:
        thread.start()
    try:
        found = sampling.sample(0.5, stop)
    finally:
        end.set()
        for thread in threads:
            thread.join()
    spent: dict[str, int] = {}
    for stack, nanoseconds in found.items():
        for name in {name for name, _, _ in stack}:
            spent[name] = spent.get(name, 0) + nanoseconds
    assert spent["burn"] > 50_000_000
    assert spent.get("Event.wait", 0) < spent["burn"] / 10
    assert profile({"here": sampling.decode(sampling.encode(found))}, sampling.HERTZ, 0, 1)


async def test_who_gives_up_ends_it() -> None:
    before = threading.active_count()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sampling.sampled(30), 0.05)
    loop = asyncio.get_running_loop()
    await asyncio.wait_for(loop.shutdown_default_executor(), 5)
    assert threading.active_count() <= before


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("", 30), ("seconds=3", 3), ("seconds=0", 30), ("seconds=-1", 30), ("seconds=x", 30), ("seconds=0.5", 30),
     ("a=b&seconds=7", 7), ("seconds=1000", 50), ("seconds=", 30), ("seconds=%31", 1)],
)  # fmt: skip
def test_how_long(query: str, seconds: int) -> None:
    assert sampling.seconds_in(query) == seconds


async def test_tasks_are_told_by_where_they_wait() -> None:
    event = asyncio.Event()
    tasks = [asyncio.create_task(event.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    try:
        text = sampling.describe("here", tasks)
    finally:
        event.set()
        await asyncio.gather(*tasks)
    assert text.startswith("here (pid ")
    assert ": 3 tasks\n" in text
    assert "\n3 @\n" in text
    assert "thread MainThread" in text
