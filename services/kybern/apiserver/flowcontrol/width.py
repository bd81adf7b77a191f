"""How many seats a request takes: a list as many as it is long."""

from kybern.apiserver.registry.resource_table import Served
from kybern.protos.api.v1.objects_pb2 import ListRequest

OBJECTS_PER_SEAT = 100
MOST_SEATS = 10


def seats(objects: int) -> int:
    """A seat for each hundred objects that have to be looked at, at most ten."""
    return max(1, min(MOST_SEATS, -(-objects // OBJECTS_PER_SEAT)))


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
