"""The work queue against a dumb model, and its timers in loop time."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kybern.client.workqueue import (
    BucketRateLimiter,
    DelayingQueue,
    ItemExponentialFailureRateLimiter,
    MaxOfRateLimiter,
    RateLimitingQueue,
    ShutDown,
    WorkQueue,
)

KEYS = st.sampled_from(["a", "b", "c", "d"])


def take(queue: WorkQueue) -> str:
    """Take without waiting: the queue is known not to be empty."""
    coroutine = queue.get()
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return str(stop.value)
    coroutine.close()
    raise AssertionError("get had to wait")


class QueueModel(RuleBasedStateMachine):
    """The model: a list of what waits, a set of what is processed, a set of what came again meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = WorkQueue()
        self.waiting: list[str] = []
        self.processing: list[str] = []
        self.again: set[str] = set()

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.queue.add(key)
        if key in self.processing:
            self.again.add(key)
        elif key not in self.waiting:
            self.waiting.append(key)

    @precondition(lambda self: self.waiting)
    @rule()
    def get(self) -> None:
        key = take(self.queue)
        assert key == self.waiting.pop(0)
        assert key not in self.processing
        self.processing.append(key)

    @precondition(lambda self: self.processing)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.processing))
        self.queue.done(key)
        self.processing.remove(key)
        if key in self.again:
            self.again.remove(key)
            self.waiting.append(key)

    @invariant()
    def same_length(self) -> None:
        assert len(self.queue) == len(self.waiting)
        assert self.queue.idle == (not self.waiting and not self.processing)


TestQueueModel = QueueModel.TestCase


async def test_no_key_is_lost_or_processed_twice_at_once() -> None:
    queue = WorkQueue()
    running: set[str] = set()
    seen: dict[str, int] = {}

    async def work() -> None:
        while True:
            try:
                key = await queue.get()
            except ShutDown:
                return
            assert key not in running
            running.add(key)
            await asyncio.sleep(0)
            running.remove(key)
            seen[key] = seen.get(key, 0) + 1
            queue.done(key)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(work())
        for turn in range(50):
            for key in ("a", "b", "c"):
                queue.add(key)
            if turn % 3 == 0:
                await asyncio.sleep(0)
        queue.shut_down()
    assert set(seen) == {"a", "b", "c"}
    assert queue.idle


async def test_a_cancelled_waiter_passes_its_turn_on() -> None:
    queue = WorkQueue()
    first = asyncio.create_task(queue.get())
    second = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    assert await asyncio.wait_for(second, 1) == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_shut_down_hands_out_what_is_left_then_stops() -> None:
    queue = WorkQueue()
    queue.add("a")
    queue.shut_down()
    queue.add("b")
    assert await queue.get() == "a"
    with pytest.raises(ShutDown):
        await queue.get()


async def test_add_after_keeps_the_earliest_moment() -> None:
    queue = DelayingQueue()
    loop = asyncio.get_running_loop()
    start = loop.time()
    queue.add_after("a", 0.5)
    queue.add_after("a", 0.02)
    queue.add_after("a", 0.3)
    assert await queue.get() == "a"
    assert 0.015 <= loop.time() - start < 0.25
    queue.done("a")
    queue.add_after("b", 0)
    assert await queue.get() == "b"
    assert len(queue) == 0
    queue.shut_down()


@given(st.lists(st.tuples(KEYS, st.booleans()), max_size=60))
def test_exponential_limiter_doubles_until_its_maximum(steps: list[tuple[str, bool]]) -> None:
    limiter = ItemExponentialFailureRateLimiter(0.005, 1000.0)
    failures: dict[str, int] = {}
    for key, forget in steps:
        if forget:
            limiter.forget(key)
            failures.pop(key, None)
        else:
            count = failures.get(key, 0)
            assert limiter.when(key) == min(0.005 * 2**count, 1000.0)
            failures[key] = count + 1
        assert limiter.retries(key) == failures.get(key, 0)


def test_exponential_limiter_survives_a_great_many_failures() -> None:
    limiter = ItemExponentialFailureRateLimiter()
    assert [limiter.when("a") for _ in range(3000)][-1] == 1000.0


def test_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    now = [0.0]
    bucket = BucketRateLimiter(qps=10, burst=3, now=lambda: now[0])
    assert [bucket.when("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.when("a") == pytest.approx(0.1)
    assert bucket.when("b") == pytest.approx(0.2)
    now[0] = 10.0
    assert bucket.when("a") == 0.0


async def test_rate_limited_keys_come_back_and_are_forgotten() -> None:
    limiter = MaxOfRateLimiter(ItemExponentialFailureRateLimiter(0.001, 1.0), BucketRateLimiter())
    queue = RateLimitingQueue(limiter)
    queue.add_rate_limited("a")
    queue.add_rate_limited("a")
    assert queue.num_requeues("a") == 2
    assert await asyncio.wait_for(queue.get(), 1) == "a"
    queue.forget("a")
    assert queue.num_requeues("a") == 0
    queue.done("a")
    assert queue.idle
