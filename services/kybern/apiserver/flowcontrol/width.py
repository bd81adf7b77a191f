"""How many seats a request takes: a list as many as it is long, a write as many as its watchers make work."""

from kybern.apiserver.registry.resource_table import Served
from kybern.protos.api.v1.objects_pb2 import ListRequest

WRITES = frozenset(("create", "update", "patch", "delete"))
WATCHERS_PER_SEAT, EVENT_SECONDS = 10, 0.005
OBJECTS_PER_SEAT = 100
MOST_SEATS = 10


def seats(objects: int) -> int:
    """A seat for each hundred objects that have to be looked at, at most ten."""
    return max(1, min(MOST_SEATS, -(-objects // OBJECTS_PER_SEAT)))


def watched(watchers: int) -> tuple[int, float]:
    """Seats of a write, and the seconds for which they are held after it: few watchers cost nothing."""
    if watchers < WATCHERS_PER_SEAT:
        return 1, 0.0
    wanted = -(-watchers // WATCHERS_PER_SEAT)
    held = min(wanted, MOST_SEATS)
    return held, wanted * EVENT_SECONDS / held


def watchers_of(served: Served, subresource: str, namespace: str, name: str) -> int:
    """Who is told of one write; a token changes nothing that could be watched."""
    return 0 if served.cacher is None or subresource == "token" else served.cacher.crowd(namespace, name)


def list_width(served: Served, namespace: str, message: ListRequest) -> int:
    """The seats of one list; a selector has to look at more than it finds."""
    if served.cacher is None:
        return 1
    selects = message.label_selector or message.field_selector
    if namespace and not selects:
        count = served.cacher.count(namespace, "")
    else:
        count = len(served.cacher.entries)
    return seats(min(count, message.limit) if message.limit and not selects else count)
