"""/debug/api_priority_and_fairness/dump_*: what flow control is doing now, as tables of text."""

from collections.abc import Iterable, Sequence

from kybern.apiserver.core.flowcontrol.queue_set import Rejection
from kybern.apiserver.flowcontrol.flows import LevelState
from kybern.apiserver.flowcontrol.gate import FlowControl
from kybern.apiserver.flowcontrol.in_flight import InFlight

PREFIX = "/debug/api_priority_and_fairness/dump_"
Row = Sequence[object]
LEVELS: Row = (
    "PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing", "WaitingRequests", "ExecutingSeats", "SeatLimit",
    "DispatchedRequests", "RejectedRequests", "TimedoutRequests", "CancelledRequests",
)  # fmt: skip
QUEUES: Row = ("PriorityLevelName", "Index", "PendingRequests", "SeatsInUse", "NextDispatchR", "TotalWorkSum")
REQUESTS: Row = (
    "PriorityLevelName", "FlowSchemaName", "QueueIndex", "FlowDistingsher", "ArriveTime", "StartTime", "InitialSeats",
)  # fmt: skip


def dump(flow: FlowControl | InFlight, path: str) -> bytes | None:
    """The table at a path, or None where there is none."""
    if not path.startswith(PREFIX) or not isinstance(flow, FlowControl):
        return None
    match path.removeprefix(PREFIX):
        case "priority_levels":
            return table(LEVELS, _levels(flow))
        case "queues":
            return table(QUEUES, _queues(flow))
        case "requests":
            return table(REQUESTS, _requests(flow))
    return None


def _levels(flow: FlowControl) -> Iterable[Row]:
    for name, state in sorted(flow.levels.items()):
        if state.level.exempt:
            yield (name, *["<none>"] * (len(LEVELS) - 1))
            continue
        queues = state.queues
        idle = not queues.in_use and not queues.waiting
        counted = _counts(flow, state)
        yield (name, queues.active, _bool(idle), "false", queues.waiting, queues.in_use, queues.limit, *counted)


def _counts(flow: FlowControl, state: LevelState) -> Iterable[int]:
    series = [one for one in flow.series.values() if one.level == state.name]
    yield sum(one.dispatched for one in series)
    for whys in ((Rejection.QUEUE_FULL, Rejection.CONCURRENCY_LIMIT), (Rejection.TIME_OUT,), (Rejection.CANCELLED,)):
        yield sum(one.rejected.get(why, 0) for one in series for why in whys)


def _queues(flow: FlowControl) -> Iterable[Row]:
    for name, state in sorted(flow.levels.items()):
        for queue in state.queues.queues:
            next_r, work = f"{queue.next_r:.8f}", f"{queue.work:.8f}"
            yield (name, queue.index, len(queue.waiting), queue.running, next_r, work)


def _requests(flow: FlowControl) -> Iterable[Row]:
    """Those that wait, or have waited for their seats."""
    for held in flow.held:
        item, of = held.item, held.flow
        if item is not None:
            start = f"{item.started:.6f}" if item.started >= 0 else "<none>"
            arrived = f"{item.arrived:.6f}"
            where = (of.state.name, of.series.schema, item.queue.index, of.distinguisher)
            yield (*where, arrived, start, held.width)


def _bool(value: bool) -> str:
    return str(value).lower()


def table(head: Row, rows: Iterable[Row]) -> bytes:
    """Columns with a comma after each value, padded to the same width."""
    texts = [[f"{value}," for value in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in texts) + 1 for column in range(len(head))]
    lines = ["".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in texts]
    return "\n".join([*lines, ""]).encode()
