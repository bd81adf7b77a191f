"""What flow control keeps: a state per priority level, a flow per kind of request, what was counted for each."""

import asyncio
from bisect import bisect_left
from dataclasses import dataclass, field

from kybern.apiserver.core.flowcontrol.limits import Demand, Level, Limits
from kybern.apiserver.core.flowcontrol.queue_set import Item, QueueSet, Rejection
from kybern.apiserver.core.flowcontrol.retry_after import Refusals

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


class LevelState:
    """One priority level at work."""

    def __init__(self, level: Level, limits: Limits) -> None:
        self.level = level
        self.limits = limits
        self.queues = QueueSet(level.queuing, limits.nominal)
        self.current = limits.nominal  # seats until the next adjustment, before pressure
        self.samples: list[float] = []
        self.demand = Demand()
        self.refusals = Refusals()

    @property
    def name(self) -> str:
        return self.level.name


@dataclass(eq=False)
class Series:
    """What metrics say of one FlowSchema at one priority level."""

    schema: str
    level: str
    dispatched: int = 0
    executing: int = 0
    waiting: int = 0
    rejected: dict[Rejection, int] = field(default_factory=dict)
    waited: Times = field(default_factory=Times)
    executed: Times = field(default_factory=Times)

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
    item: Item | None = None
    turn: asyncio.Future[None] | None = None  # when it has its seats
    after: float = 0.0  # seconds for which the seats are held when it has ended: its watchers are being told
