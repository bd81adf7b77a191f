"""A priority level's queues: requests wait in the queues their flow was dealt, and leave them in fair order.

Fair queuing in virtual time R, which advances for each busy queue as if seats were shared evenly among them. A queue's
next request starts at the queue's own R; a queue gives way once its R is ahead of the others'. How long a request will
hold its seats is guessed when it starts and put right when it ends. Time is an argument: seconds of any clock.

A level without a request that waits needs no queue: `QueueSet.take` only counts seats.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Any

from kybern.apiserver.core.flowcontrol.limits import Queuing
from kybern.apiserver.core.flowcontrol.shuffle import deal

GUESS = 0.003  # seconds that a request is thought to hold its seats


class Rejection(Enum):
    """Why a request was turned away; names as in upstream's metrics."""

    QUEUE_FULL = "queue-full"
    CONCURRENCY_LIMIT = "concurrency-limit"
    TIME_OUT = "time-out"
    CANCELLED = "cancelled"


class Queue:
    """Requests of a few flows, in order of arrival."""

    __slots__ = ("index", "next_r", "running", "waiting", "work")

    def __init__(self, index: int) -> None:
        self.index = index
        self.waiting: deque[Item] = deque()
        self.running = 0  # seats held by requests that came from here
        self.work = 0.0  # seat-seconds that wait or run
        self.next_r = 0.0


@dataclass(slots=True, eq=False)
class Item:
    """A request that waits in a queue, or has left it for its seats."""

    width: int
    arrived: float
    queue: Queue
    started: float = -1.0  # -1: it waits
    waiter: Any = None  # whose it is: the caller's business


@dataclass(frozen=True, slots=True)
class Bounds:
    """Virtual time when a request left its queue, the request's own start, and the first and last of those at the heads
    of queues; `discounted` by what runs for each queue."""

    r: float
    start: float
    heads: tuple[float, float]
    discounted: tuple[float, float]


class QueueSet:
    """Counts seats, and keeps what waits for them."""

    def __init__(self, queuing: Queuing | None, limit: int) -> None:
        self.limit = limit
        self.in_use = 0  # seats
        self.waiting = 0  # requests
        self.waiting_seats = 0
        self.high = 0  # most seats wanted since it was last set to 0
        self.queues: list[Queue] = []
        self._busy: dict[Queue, None] = {}  # queues with something that waits or runs
        self._r = 0.0
        self._at = 0.0
        self.last: Bounds | None = None  # R and S when a request last left a queue
        self.configure(queuing)

    def configure(self, queuing: Queuing | None) -> None:
        """Another shape of queues; what waits in the old ones is served as before."""
        self.queuing = queuing
        count = queuing.queues if queuing is not None else 0
        if count != len(self.queues):
            self.queues = [Queue(index) for index in range(count)]

    def take(self, width: int) -> bool:
        """Take seats if they are free and nobody waits for them."""
        if self.waiting or not self._fits(width):
            return False
        self.use(width)
        return True

    def use(self, width: int) -> None:
        """Take seats, free or not."""
        self.in_use += width
        if self.in_use > self.high:
            self.high = self.in_use

    def give(self, width: int) -> None:
        """Seats taken by `take` or `use` are free again; see `dispatch`."""
        self.in_use -= width

    def enqueue(self, now: float, width: int, flow: int) -> Item | Rejection:
        """Let a request wait in the queue of its hand that has the least work."""
        queuing = self.queuing
        if queuing is None:
            return Rejection.CONCURRENCY_LIMIT
        self._advance(now)
        hand = [self.queues[card] for card in deal(flow, len(self.queues), queuing.hand)]
        queue = min(hand, key=lambda one: one.work)
        if len(queue.waiting) >= queuing.length:
            return Rejection.QUEUE_FULL
        item = Item(width, now, queue)
        if queue not in self._busy:
            self._busy[queue] = None
            queue.next_r = self._r
        queue.waiting.append(item)
        queue.work += width * GUESS
        self.waiting += 1
        self.waiting_seats += width
        self.high = max(self.high, self.in_use + self.waiting_seats)
        return item

    def dispatch(self, now: float) -> list[Item]:
        """Those that get their seats now."""
        started: list[Item] = []
        if not self.waiting:
            return started
        self._advance(now)
        while self.waiting:
            queue = min((q for q in self._busy if q.waiting), key=_finish)
            item = queue.waiting[0]
            if not self._fits(item.width):
                break
            self.last = self._bounds(queue.next_r)
            queue.waiting.popleft()
            self._left(item)
            self.use(item.width)
            queue.running += item.width
            queue.next_r += item.width * GUESS
            item.started = now
            started.append(item)
        return started

    def finish(self, now: float, item: Item) -> None:
        """An item has ended: its seats are free, its queue pays for what it really took."""
        self._advance(now)
        queue = item.queue
        self.in_use -= item.width
        queue.running -= item.width
        queue.work = max(0.0, queue.work - item.width * GUESS)
        queue.next_r += item.width * (now - item.started - GUESS)
        self._rest(queue)

    def withdraw(self, now: float, item: Item) -> bool:
        """An item stops waiting without having run; False if it had left its queue."""
        if item.started >= 0 or item not in item.queue.waiting:
            return False
        self._advance(now)
        item.queue.waiting.remove(item)
        self._left(item)
        item.queue.work = max(0.0, item.queue.work - item.width * GUESS)
        self._rest(item.queue)
        return True

    @property
    def r(self) -> float:
        """Virtual time, as of the last change."""
        return self._r

    def _bounds(self, start: float) -> "Bounds":
        starts = [(queue.next_r, queue.next_r - queue.running * GUESS) for queue in self._busy if queue.waiting]
        plain, discounted = zip(*starts, strict=True)
        return Bounds(self._r, start, (min(plain), max(plain)), (min(discounted), max(discounted)))

    @property
    def active(self) -> int:
        """Queues with something that waits or runs."""
        return len(self._busy)

    def _fits(self, width: int) -> bool:
        """Wider than the limit is served when nothing else is; a level without seats lets nobody out of its queues."""
        return self.in_use + width <= self.limit or (not self.in_use and (self.limit > 0 or not self.queues))

    def _left(self, item: Item) -> None:
        self.waiting -= 1
        self.waiting_seats -= item.width

    def _rest(self, queue: Queue) -> None:
        if not queue.waiting and not queue.running:
            self._busy.pop(queue, None)
            queue.work = 0.0

    def _advance(self, now: float) -> None:
        """Let R run up to now: the seats in use, shared evenly by the busy queues."""
        if self._busy and now > self._at:
            wanted = sum(queue.running for queue in self._busy) + self.waiting_seats
            self._r += (now - self._at) * min(wanted, max(self.limit, 1)) / len(self._busy)
        self._at = now


def _finish(queue: Queue) -> float:
    """Virtual time at which the queue's next request would end."""
    return queue.next_r + queue.waiting[0].width * GUESS
