"""FlowControl: the gate between authentication and authorization.

`enter` costs a lookup and a comparison while seats are free: what is asked for is classified once per user and shape.
What finds no seat waits (MustWait) or is refused with 429. A call that is answered at once has its seat back before the
next is looked at, so reads from memory hold nothing for any time.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from kybern.apiserver.core.flowcontrol import classify
from kybern.apiserver.core.flowcontrol.configuration import Configuration
from kybern.apiserver.core.flowcontrol.limits import current_limits, nominal_limits, smoothed
from kybern.apiserver.core.flowcontrol.pressure import BUSY, next_share, pressed
from kybern.apiserver.core.flowcontrol.queue_set import Item, Rejection
from kybern.apiserver.core.user import User
from kybern.apiserver.flowcontrol.flows import Flow, Held, LevelState, Series
from kybern.apiserver.waiting import MustWait
from kybern.kube.rbac import Attributes
from kybern.kube.status import StatusError, too_many_requests
from kybern.rpc.exchange.context import CallContext

REMEMBERED = 20_000  # shapes of requests
DEFAULT_SECONDS = 60.0  # of a request that has no deadline
LONG_RUNNING = frozenset({"attach", "exec", "log", "portforward", "proxy"})
Shape = tuple[User, str, str, str, str, str]
Passes = Callable[[CallContext, User], bool]  # whether a call may be answered now


def refused(retry_after: int = 1) -> StatusError:
    """The answer to a request that is not served now; after so many seconds it may be."""
    return too_many_requests("Too many requests, please try again later.", retry_after)


class FlowControl:
    """`enter` before a call is authorized, `leave` when it is answered."""

    def __init__(self, seats: int) -> None:
        self.seats = seats
        self.levels: dict[str, LevelState] = {}
        self.series: dict[tuple[str, str], Series] = {}
        self.held: dict[Held, None] = {}  # calls that wait, have waited, want more than a seat or keep it for longer
        self.generation = 0  # of the configuration
        self.fraction = 0.0  # of what they aim at that levels get
        self.share = 1.0  # of their seats that workload levels may use
        self._schemas: list[classify.Schema] = []
        self._flows: dict[Shape, Flow] = {}
        self._time: Callable[[], float] = asyncio.get_running_loop().time
        self._sampled = self._time()

    # Configuration

    def configure(self, configuration: Configuration) -> None:
        """Take what FlowSchemas and PriorityLevelConfigurations say now."""
        limits = nominal_limits(self.seats, configuration.levels)
        levels: dict[str, LevelState] = {}
        for level in configuration.levels:
            state = self.levels.get(level.name)
            if state is None or state.level.exempt != level.exempt:
                state = LevelState(level, limits[level.name])
            elif state.limits != limits[level.name] or state.level != level:
                state.level, state.limits = level, limits[level.name]
                state.queues.configure(level.queuing)
                state.current = state.limits.nominal
            levels[level.name] = state
        self.levels = levels
        self._schemas = configuration.schemas
        self._flows.clear()
        self.generation += 1
        self._limit()

    def adjust(self) -> None:
        """Give each level its share of the seats by what was wanted lately."""
        demands = {}
        for name, state in self.levels.items():
            state.demand = smoothed(state.demand.smooth, state.samples, float(state.queues.high))
            state.samples, state.queues.high = [], state.queues.in_use + state.queues.waiting_seats
            demands[name] = state.demand
        levels = [state.level for state in self.levels.values()]
        limits = {name: state.limits for name, state in self.levels.items()}
        found = current_limits(self.seats, levels, limits, demands)
        for name, seats in found.seats.items():
            self.levels[name].current, self.levels[name].target = seats, found.targets[name]
        self.fraction = found.fraction
        self._limit()

    def press(self, behind: float) -> None:
        """Use fewer seats while the event loop is so many seconds behind."""
        share = next_share(self.share, behind)
        if share != self.share:
            self.share = share
            self._limit()

    @property
    def busy(self) -> bool:
        """Whether much is under way."""
        return any(state.queues.in_use + state.queues.waiting >= BUSY for state in self.levels.values())

    def _limit(self) -> None:
        for name, state in self.levels.items():
            state.queues.limit = pressed(name, state.current, self.share)
            self._dispatch(state)

    def sample(self) -> None:
        """Note what is wanted at this moment, and stands for the time since the last."""
        now = self._time()
        nanoseconds, self._sampled = int((now - self._sampled) * 1e9), now
        executing = Counter[str]()
        for series in self.series.values():
            executing[series.level] += series.executing
        for state in self.levels.values():
            state.samples.append(state.queues.in_use + state.queues.waiting_seats)
            state.sample(executing[state.name], nanoseconds)

    # Requests

    def enter(
        self,
        call: CallContext,
        user: User,
        asked: Attributes,
        width: int = 1,
        after: float = 0.0,
        watchers: int = -1,
    ) -> None:
        """Let the call pass, or raise: MustWait, StatusError (429). `watchers` are those of what is written."""
        if asked.subresource in LONG_RUNNING:  # belongs nowhere
            return
        flow = self.flow(user, asked)
        call.flow = f"{flow.header}\n{call.warning}" if call.warning else flow.header
        queues = flow.state.queues
        if watchers >= 0:
            flow.series.watchers.observe(watchers)
        if flow.state.level.exempt:
            queues.use(width)
            call.seat = flow if width == 1 else self._held(Held(flow, width, user, asked))
        elif queues.take(width):
            call.seat = flow if width == 1 and not after else self._held(Held(flow, width, user, asked, after=after))
        else:
            self._queue(call, Held(flow, width, user, asked, after=after))
            return
        flow.series.dispatched += 1

    def passes(self, asked: Attributes) -> Passes:
        """A gate for calls that ask the same again and are answered at once, so hold no seat for any time."""
        of: tuple[User | None, int, Flow | None] = (None, 0, None)

        def passes(call: CallContext, user: User) -> bool:
            nonlocal of
            flow = of[2]
            if flow is None or of[0] is not user or of[1] != self.generation:
                flow = self.flow(user, asked)
                of = (user, self.generation, flow)
            queues = flow.state.queues
            if not flow.state.level.exempt and (queues.waiting or queues.in_use >= queues.limit):
                return False
            call.flow = flow.header
            flow.series.at_once += 1
            return True

        return passes

    def flow(self, user: User, asked: Attributes) -> Flow:
        """The flow of a request; remembered until the configuration changes."""
        where = asked.namespace if asked.resource else asked.path
        shape = (user, asked.verb, asked.group, asked.resource, asked.subresource, where)
        found = self._flows.get(shape)
        if found is None:
            if len(self._flows) >= REMEMBERED:
                self._flows.clear()
            found = self._flows[shape] = self._classify(user, asked)
        return found

    def _classify(self, user: User, asked: Attributes) -> Flow:
        schema = classify.first_match(self._schemas, user, asked)
        if schema is None:  # a user in neither of the two groups that everybody is in
            schema = next(one for one in self._schemas if one.name == classify.CATCH_ALL)
        state = self.levels[schema.level]
        key = (schema.name, state.name)
        series = self.series.get(key)
        if series is None:
            series = self.series[key] = Series(*key)
        name = classify.distinguisher(schema, user, asked)
        return Flow(state, series, name, classify.flow_hash(schema.name, name), f"{schema.uid} {state.level.uid}")

    def _queue(self, call: CallContext, held: Held) -> None:
        flow = held.flow
        item = flow.state.queues.enqueue(self._time(), held.width, flow.hash)
        if isinstance(item, Rejection):
            flow.series.reject(item)
            raise refused(flow.state.refusals.record(int(self._time())))
        held.item, held.turn, item.waiter = item, asyncio.get_running_loop().create_future(), held
        flow.series.lengths.observe(len(item.queue.waiting))
        flow.series.waiting += 1
        self.held[held] = None
        raise MustWait(lambda: self._wait(call, held, item))

    async def _wait(self, call: CallContext, held: Held, item: Item) -> None:
        """Wait for seats, for a quarter of the time the call has. Raises StatusError (429)."""
        flow, now = held.flow, self._time()
        assert held.turn is not None
        seconds = DEFAULT_SECONDS if call.deadline is None else max(0.0, call.deadline - now)
        try:
            async with asyncio.timeout(seconds / 4):
                await held.turn
        except (TimeoutError, asyncio.CancelledError) as error:
            late = isinstance(error, TimeoutError)
            withdrawn = flow.state.queues.withdraw(self._time(), item)
            if late and not withdrawn:  # its turn came at the last moment
                self._seated(call, held, item)
                return
            if withdrawn:
                flow.series.late.observe(self._time() - item.arrived)
                flow.series.waiting -= 1
                flow.series.reject(Rejection.TIME_OUT if late else Rejection.CANCELLED)
                self.held.pop(held, None)
                self._dispatch(flow.state)
            else:
                self._end(held)
            if late:
                raise refused(flow.state.refusals.record(int(self._time()))) from None
            raise
        self._seated(call, held, item)

    def _held(self, held: Held) -> Held:
        """A call that executes now, and is not an ordinary one."""
        series = held.flow.series
        series.more += held.width - 1
        if held.width > 1:
            series.widths[held.width] = series.widths.get(held.width, 0) + 1
        held.counted = True
        held.began = self._time()
        self.held[held] = None
        return held

    def _seated(self, call: CallContext, held: Held, item: Item) -> None:
        held.flow.series.waited.observe(self._time() - item.arrived)
        held.flow.series.dispatched += 1
        call.seat = self._held(held)

    def leave(self, call: CallContext, seconds: float, *, stands: bool = False) -> None:
        """The call is answered, or a watch stands, after `seconds`."""
        seat, call.seat = call.seat, None
        if type(seat) is Flow:
            flow = seat
            queues = flow.state.queues
            queues.in_use -= 1
            if queues.waiting:
                self._dispatch(flow.state)
        else:
            flow = seat.flow
            if seat.after:
                flow.series.more += 1
                asyncio.get_running_loop().call_later(seat.after, self._end, seat)
            else:
                self._end(seat)
        (flow.series.watched if stands else flow.series.executed).observe(seconds)

    def _end(self, held: Held) -> None:
        """Free the seats of a call that holds several or had to wait."""
        queues = held.flow.state.queues
        if held.counted:
            held.flow.series.more -= held.width if held.after else held.width - 1
        self.held.pop(held, None)
        if held.item is None:
            queues.give(held.width)
        else:
            queues.finish(self._time(), held.item)
        self._dispatch(held.flow.state)

    def _dispatch(self, state: LevelState) -> None:
        """Wake those whose turn has come."""
        if not state.queues.waiting:
            return
        for item in state.queues.dispatch(self._time()):
            held: Held = item.waiter
            held.flow.series.waiting -= 1
            if held.turn is not None and not held.turn.done():
                held.turn.set_result(None)
