"""/debug/api_priority_and_fairness/dump_*: what flow control is doing now, as tables of text."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from urllib.parse import parse_qs

from kybern.apiserver.core.flowcontrol.queue_set import Rejection
from kybern.apiserver.flowcontrol.flows import Held, LevelState
from kybern.apiserver.flowcontrol.gate import FlowControl
from kybern.apiserver.flowcontrol.in_flight import InFlight
from kybern.kube.rbac import Attributes

PREFIX = "/debug/api_priority_and_fairness/dump_"
Row = Sequence[object]
LEVELS: Row = (
    "PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing", "WaitingRequests", "ExecutingRequests",
    "DispatchedRequests", "RejectedRequests", "TimedoutRequests", "CancelledRequests",
)  # fmt: skip
QUEUES: Row = (
    "PriorityLevelName", "Index", "PendingRequests", "ExecutingRequests", "SeatsInUse", "NextDispatchR",
    "InitialSeatsSum", "MaxSeatsSum", "TotalWorkSum",
)  # fmt: skip
REQUESTS: Row = (
    "PriorityLevelName", "FlowSchemaName", "QueueIndex", "RequestIndexInQueue", "FlowDistingsher", "ArriveTime",
    "InitialSeats", "FinalSeats", "AdditionalLatency", "StartTime",
)  # fmt: skip
VersionOf = Callable[[Attributes], str]
NARROWEST = 8  # characters of a column


DETAILS: Row = ("UserName", "Verb", "APIPath", "Namespace", "Name", "APIVersion", "Resource", "SubResource")
QUERY = "includeRequestDetails"


def dump(
    flow: FlowControl | InFlight,
    path: str,
    query: str,
    now: datetime,
    at: float,
    asker: Held | None = None,
    version_of: VersionOf = lambda asked: "",
) -> bytes | None:
    """The table at a path, or None where there is none. `at` is what the gate's clock says now; `asker`: this call;
    `version_of`: in which version a resource is served first, since rights know no version."""
    if not path.startswith(PREFIX) or not isinstance(flow, FlowControl):
        return None
    match path.removeprefix(PREFIX):
        case "priority_levels":
            return table(LEVELS, _levels(flow))
        case "queues":
            return table(QUEUES, _queues(flow))
        case "requests":
            detailed = bool(parse_qs(query).get(QUERY, [""])[0])
            found = [held for held in flow.held if held is not asker] + ([asker] if asker is not None else [])
            return table(
                (*REQUESTS, *DETAILS) if detailed else REQUESTS,
                _requests(found, version_of if detailed else None, now, at),
            )
    return None


def _levels(flow: FlowControl) -> Iterable[Row]:
    """Seats stand for the requests that execute."""
    for name, state in sorted(flow.levels.items()):
        queues = state.queues
        idle = not queues.in_use and not queues.waiting and not state.level.exempt
        counted = _counts(flow, state)
        yield (name, queues.active, _bool(idle), "false", queues.waiting, queues.in_use, *counted)


def _counts(flow: FlowControl, state: LevelState) -> Iterable[int]:
    series = [one for one in flow.series.values() if one.level == state.name]
    yield sum(one.dispatched + one.at_once for one in series)
    for whys in ((Rejection.QUEUE_FULL, Rejection.CONCURRENCY_LIMIT), (Rejection.TIME_OUT,), (Rejection.CANCELLED,)):
        yield sum(one.rejected.get(why, 0) for one in series for why in whys)


def _queues(flow: FlowControl) -> Iterable[Row]:
    executing = Counter(held.item.queue for held in flow.held if held.item is not None and held.item.started >= 0)
    for name, state in sorted(flow.levels.items()):
        for queue in state.queues.queues:
            waiting = sum(item.width for item in queue.waiting)
            counted = (len(queue.waiting), executing[queue], queue.running, f"{queue.next_r:.8f}ss", waiting, waiting)
            yield (name, queue.index, *counted, f"{queue.work:.8f}ss")


def _requests(found: Iterable[Held], version_of: VersionOf | None, now: datetime, at: float) -> Iterable[Row]:
    """Those that wait, or are no ordinary ones: what has its one seat at once is not kept."""

    def shown(when: float) -> str:
        return (now - timedelta(seconds=at - when)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    for held in found:
        item, of = held.item, held.flow
        if item is None:
            place, arrived, start = (-1, -1), shown(held.began), shown(held.began)
        else:
            waits = item.started < 0
            place = (item.queue.index, item.queue.waiting.index(item) if waits else -1)
            arrived, start = shown(item.arrived), "0001-01-01T00:00:00Z" if waits else shown(item.started)
        final = (held.width, f"{held.after * 1000:g}ms") if held.after else (0, "0s")
        row = (of.state.name, of.series.schema, *place, of.distinguisher, arrived, held.width, *final, start)
        yield (*row, *_details(held, version_of(held.asked))) if version_of is not None else row


def _details(held: Held, version: str) -> Row:
    asked = held.asked
    shown = f"{asked.group}/{version}" if asked.group else version
    where = (asked.namespace, asked.name, shown, asked.resource, asked.subresource)
    return (held.user.name, asked.verb, asked.path or _path(asked, version), *where)


def _path(asked: Attributes, version: str) -> str:
    """Of a request for a resource."""
    root = f"/apis/{asked.group}/{version}" if asked.group else f"/api/{version}"
    below = [f"/namespaces/{asked.namespace}"] if asked.namespace and asked.resource != "namespaces" else []
    parts = [*below, *(f"/{part}" for part in (asked.resource, asked.name, asked.subresource) if part)]
    return root + "".join(parts)


def _bool(value: bool) -> str:
    return str(value).lower()


def table(head: Row, rows: Iterable[Row]) -> bytes:
    """Columns with a comma after each value but the last, padded to the same width."""
    texts = [[f"{value}," for value in row[:-1]] + [str(row[-1])] for row in (head, *rows)]
    widths = [max(NARROWEST, *(len(row[column]) + 1 for row in texts)) for column in range(len(head) - 1)]
    lines = ["".join(text.ljust(width) for text, width in zip(row, [*widths, 0], strict=True)) for row in texts]
    return "\n".join([*lines, ""]).encode()
