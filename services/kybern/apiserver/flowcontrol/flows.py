"""What flow control keeps: a state per priority level, a flow per kind of request, what was counted for each."""

import asyncio
from bisect import bisect_left
from dataclasses import dataclass, field

from kybern.apiserver.core.flowcontrol.limits import Demand, Level, Limits
from kybern.apiserver.core.flowcontrol.queue_set import Item, QueueSet, Rejection
from kybern.apiserver.core.flowcontrol.retry_after import Refusals
from kybern.apiserver.core.user import User
from kybern.apiserver.flowcontrol.samples import LevelSamples
from kybern.kube.rbac import Attributes
from kybern.telemetry.observations import Observations

LENGTHS = (0.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)  # requests
WATCHERS = (0.0, 1.0, 10.0, 100.0, 1000.0, 10000.0)
BUCKETS = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)


class Times:
    """A histogram of seconds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        return sum(self.counts)


class LevelState:
    """One priority level at work."""

    def __init__(self, level: Level, limits: Limits) -> None:
        self.level = level
        self.limits = limits
        self.queues = QueueSet(level.queuing, limits.nominal)
        self.current = limits.nominal  # seats until the next adjustment, before pressure
        self.samples: list[float] = []
        self.demand = Demand()
        self.target = float(limits.nominal)
        self.sampled = LevelSamples()
        self.refusals = Refusals()

    def sample(self, executing: int, nanoseconds: int) -> None:
        """So many requests execute, and have for so long."""
        queues, queuing = self.queues, self.queues.queuing
        seats, room = max(1, self.current), max(1, queuing.queues * queuing.length if queuing is not None else 0)
        wanted = queues.in_use + queues.waiting_seats
        self.sampled.demand.observe(wanted / max(1, self.limits.nominal), nanoseconds)
        self.sampled.waiting.observe(queues.waiting / room, nanoseconds)
        self.sampled.executing.observe(executing / seats, nanoseconds)
        self.sampled.seats.observe(queues.in_use / seats, nanoseconds)

    @property
    def name(self) -> str:
        return self.level.name


@dataclass(eq=False)
class Series:
    """What metrics say of one FlowSchema at one priority level."""

    schema: str
    level: str
    dispatched: int = 0  # to seats of their own
    at_once: int = 0  # answered before the next request was looked at
    more: int = 0  # seats in use beyond one for each request that executes
    waiting: int = 0
    rejected: dict[Rejection, int] = field(default_factory=dict)
    waited: Times = field(default_factory=Times)
    late: Times = field(default_factory=Times)  # of those that waited in vain
    executed: Times = field(default_factory=Times)
    watched: Times = field(default_factory=Times)  # until a watch stood
    widths: dict[int, int] = field(default_factory=dict)  # of requests that want more than one seat
    lengths: Observations = field(default_factory=lambda: Observations(LENGTHS))  # of queues, by who waits last
    watchers: Observations = field(default_factory=lambda: Observations(WATCHERS))  # of what is written

    @property
    def executing(self) -> int:
        """Requests with seats; read beside the loop, which may change this meanwhile."""
        return max(0, self.dispatched - self.executed.count - self.watched.count)

    def reject(self, why: Rejection) -> None:
        self.rejected[why] = self.rejected.get(why, 0) + 1


@dataclass(frozen=True, eq=False, slots=True)
class Flow:
    """Where requests of one kind by one user belong. A call that holds one seat without having waited keeps this."""

    state: LevelState
    series: Series
    distinguisher: str
    hash: int
    header: str  # see Reply.flow


@dataclass(eq=False, slots=True)
class Held:
    """What a call keeps that waited for its seats (`item`), or holds more than one."""

    flow: Flow
    width: int
    user: User
    asked: Attributes
    item: Item | None = None
    turn: asyncio.Future[None] | None = None  # when it has its seats
    counted: bool = False  # among the seats in use
    began: float = 0.0  # to execute
    after: float = 0.0  # seconds for which the seats are held when it has ended: its watchers are being told
