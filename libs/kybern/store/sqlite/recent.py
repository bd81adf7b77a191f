"""The recent past in memory: what watchers and readers ask for most, so that they rarely go to disk."""

from collections import OrderedDict, deque
from collections.abc import Sequence

from kybern.store.contract import Event

ENTRY_BYTES = 256  # what remembering anything costs, whatever its size


class RecentValues:
    """Values by version id, the least recently used dropped first. At most about `capacity` bytes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._values: OrderedDict[int, bytes] = OrderedDict()

    def get(self, version_id: int) -> bytes | None:
        """The value, if it is here."""
        value = self._values.get(version_id)
        if value is not None:
            self._values.move_to_end(version_id)
        return value

    def add(self, version_id: int, value: bytes) -> None:
        """Remember; forget others if need be."""
        if version_id in self._values or _cost(value) > self._capacity:
            return
        self._values[version_id] = value
        self._size += _cost(value)
        while self._size > self._capacity:
            _, dropped = self._values.popitem(last=False)
            self._size -= _cost(dropped)

    def drop_from(self, version_id: int) -> None:
        """Forget this version and all later ones: their ids will be given to others."""
        for later in [known for known in self._values if known >= version_id]:
            self._size -= _cost(self._values.pop(later))


class RecentEvents:
    """The events of the last revisions, without gaps. At most `capacity` bytes of values."""

    def __init__(self, capacity: int, revision: int) -> None:
        self._capacity = capacity
        self._size = 0
        self.last = revision
        self._events: deque[Sequence[Event]] = deque()

    @property
    def first(self) -> int:
        """The oldest revision remembered."""
        return self.last - len(self._events) + 1

    def add(self, events: Sequence[Event]) -> None:
        """The next revision's events."""
        self.last += 1
        self._events.append(events)
        self._size += _size(events)
        while self._size > self._capacity and self._events:
            self._size -= _size(self._events.popleft())

    def since(self, revision: int, limit: int) -> list[Sequence[Event]]:
        """The events of up to `limit` revisions from `revision` (which must be remembered) on, a list each."""
        start = revision - self.first
        return [self._events[at] for at in range(start, min(start + limit, len(self._events)))]  # mostly at the end


def _cost(value: bytes) -> int:
    return ENTRY_BYTES + len(value)


def _size(events: Sequence[Event]) -> int:
    size = 0
    for event in events:
        size += ENTRY_BYTES + len(event.kv.value) + (len(event.prev.value) if event.prev else 0)
    return size
