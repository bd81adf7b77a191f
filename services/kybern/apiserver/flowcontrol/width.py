"""How many seats a request takes: a list as many as it is long."""

from typing import Any

from kybern.apiserver.registry.resource_table import Served

OBJECTS_PER_SEAT = 100
MOST_SEATS = 10


def list_width(served: Served, namespace: str, message: Any) -> int:
    """A seat for each hundred objects that have to be looked at, at most ten."""
    if served.cacher is None:
        return 1
    if namespace and not (message.label_selector or message.field_selector):
        count = served.cacher.count(namespace, "")
    else:
        count = len(served.cacher.entries)
    if message.limit and not (message.label_selector or message.field_selector):
        count = min(count, message.limit)
    return max(1, min(MOST_SEATS, -(-count // OBJECTS_PER_SEAT)))
