"""Work queues with client-go's semantics, in layers: queue → delaying → rate limiting.

`WorkQueue` holds keys to process: a key is never twice in the queue, and never processed by two workers at once; added
while it is processed, it comes back when that is done. `DelayingQueue` adds later; `RateLimitingQueue` adds as late as
its limiter says. Time is the event loop's. Not promised: an order between keys added at the same moment by timers.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol


class ShutDown(Exception):
    """The queue is shut down and empty: a worker stops."""


class QueueObserver(Protocol):
    """What wants to know about a queue's life, for metrics."""

    def added(self, key: str, depth: int) -> None: ...

    def taken(self, key: str, depth: int) -> None: ...

    def done(self, key: str) -> None: ...

    def retried(self, key: str) -> None: ...


class WorkQueue:
    """Keys to process, each at most once at a time."""

    def __init__(self, observer: QueueObserver | None = None) -> None:
        self._queue: deque[str] = deque()
        self._dirty: set[str] = set()  # needs processing; in the queue unless also processing
        self._processing: set[str] = set()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._shutting_down = False
        self._observer = observer

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is being processed."""
        return not self._queue and not self._processing

    def add(self, key: str) -> None:
        """Mark a key as in need of processing."""
        if self._shutting_down or key in self._dirty:
            return
        self._dirty.add(key)
        if self._observer is not None:
            self._observer.added(key, len(self._queue) + (key not in self._processing))
        if key not in self._processing:
            self._push(key)

    async def get(self) -> str:
        """The next key, marked as processing until `done`. Raises ShutDown."""
        while not self._queue:
            if self._shutting_down:
                raise ShutDown
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # our turn is the next one's
                raise
        key = self._queue.popleft()
        self._processing.add(key)
        self._dirty.discard(key)
        if self._observer is not None:
            self._observer.taken(key, len(self._queue))
        return key

    def done(self, key: str) -> None:
        """The key has been processed; it comes back if it was added meanwhile."""
        self._processing.discard(key)
        if self._observer is not None:
            self._observer.done(key)
        if key in self._dirty:
            self._push(key)

    def shut_down(self) -> None:
        """Take no more keys; workers get what is left, then ShutDown."""
        self._shutting_down = True
        while self._waiters:
            self._wake()

    def _push(self, key: str) -> None:
        self._queue.append(key)
        self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


class DelayingQueue(WorkQueue):
    """A queue that can add later. A key waits for one moment only, the earliest asked for."""

    def __init__(self, observer: QueueObserver | None = None) -> None:
        super().__init__(observer)
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def add_after(self, key: str, seconds: float) -> None:
        if self._shutting_down:
            return
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        waiting = self._timers.get(key)
        if waiting is not None:
            if waiting.when() <= at:
                return
            waiting.cancel()
        self._timers[key] = loop.call_at(at, self._due, key)

    def shut_down(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        super().shut_down()

    def _due(self, key: str) -> None:
        del self._timers[key]
        self.add(key)


class RateLimiter(Protocol):
    """How long a key waits before it is tried again."""

    def when(self, key: str) -> float:
        """Seconds to wait, counting one more failure of the key."""
        ...

    def forget(self, key: str) -> None:
        """The key is well: its next failure is its first."""
        ...

    def retries(self, key: str) -> int:
        """Failures of the key since it was last forgotten."""
        ...


class ItemExponentialFailureRateLimiter:
    """Doubles the wait with each failure of a key: base·2ⁿ seconds, at most `maximum`."""

    def __init__(self, base: float = 0.005, maximum: float = 1000.0) -> None:
        self.base = base
        self.maximum = maximum
        self._failures: dict[str, int] = {}

    def when(self, key: str) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return min(self.base * 2.0 ** min(failures, 60), self.maximum)

    def forget(self, key: str) -> None:
        self._failures.pop(key, None)

    def retries(self, key: str) -> int:
        return self._failures.get(key, 0)


class BucketRateLimiter:
    """A token bucket over all keys: `qps` a second, `burst` at once."""

    def __init__(self, qps: float = 10.0, burst: int = 100, now: Callable[[], float] | None = None) -> None:
        self.qps = qps
        self.burst = burst
        self._now = now or (lambda: asyncio.get_running_loop().time())
        self._tokens = float(burst)
        self._last: float | None = None

    def when(self, key: str) -> float:
        now = self._now()
        if self._last is not None:
            self._tokens = min(float(self.burst), self._tokens + (now - self._last) * self.qps)
        self._last = now
        self._tokens -= 1.0
        return 0.0 if self._tokens >= 0 else -self._tokens / self.qps

    def forget(self, key: str) -> None:
        """A bucket remembers no keys."""

    def retries(self, key: str) -> int:
        return 0


class MaxOfRateLimiter:
    """The longest wait that any of its limiters asks for."""

    def __init__(self, *limiters: RateLimiter) -> None:
        self._limiters = limiters

    def when(self, key: str) -> float:
        return max(limiter.when(key) for limiter in self._limiters)

    def forget(self, key: str) -> None:
        for limiter in self._limiters:
            limiter.forget(key)

    def retries(self, key: str) -> int:
        return max(limiter.retries(key) for limiter in self._limiters)


def default_controller_rate_limiter() -> RateLimiter:
    """client-go's default: 5 ms doubling to 1000 s for each key, and 10 a second (100 at once) in all."""
    return MaxOfRateLimiter(ItemExponentialFailureRateLimiter(), BucketRateLimiter())


class RateLimitingQueue(DelayingQueue):
    """A queue whose failed keys come back as late as a limiter says."""

    def __init__(self, limiter: RateLimiter | None = None, observer: QueueObserver | None = None) -> None:
        super().__init__(observer)
        self._limiter = limiter or default_controller_rate_limiter()

    def add_rate_limited(self, key: str) -> None:
        if self._observer is not None:
            self._observer.retried(key)
        self.add_after(key, self._limiter.when(key))

    def forget(self, key: str) -> None:
        self._limiter.forget(key)

    def num_requeues(self, key: str) -> int:
        return self._limiter.retries(key)
