"""Entry: one object as the cache keeps it. CacheEvent: one change of one object, encoded once for all watchers."""

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

import orjson

from kybern.apiserver.core import encoding
from kybern.protos.api.v1.objects_pb2 import EventType, WatchEvent

Object = dict[str, Any]
DELETED = EventType.EVENT_TYPE_DELETED
NOTHING: Mapping[str, Any] = {}


class Entry:
    """Encoded bytes (with resourceVersion) beside the few decoded values that reads and watches select by.

    There is one for every object: what is asked for rarely is read from the bytes or the key each time.
    """

    __slots__ = ("data", "fields", "key", "labels", "revision")

    def __init__(self, key: str, data: bytes, revision: int, obj: Object, fields: Mapping[str, str]) -> None:
        self.key = key
        self.data = data
        self.revision = revision
        self.labels: Mapping[str, str] = (obj.get("metadata") or NOTHING).get("labels") or NOTHING
        self.fields = fields

    @property
    def namespace(self) -> str:
        """The namespace; "" for what is in none."""
        return self.key.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The name, in which there is no slash."""
        return self.key[self.key.rfind("/") + 1 :]

    @property
    def uid(self) -> str:
        """The uid; decodes the object."""
        return (self.decode().get("metadata") or {}).get("uid") or ""

    def decode(self) -> Object:
        """A fresh decoded copy, the caller's to change."""
        obj: Object = orjson.loads(self.data)
        return obj

    def with_data(self, data: bytes, revision: int = 0) -> "Entry":
        """The same object in other bytes, perhaps of another revision."""
        same = copy(self)
        same.data = data
        same.revision = revision or self.revision
        return same

    def field(self, label: str) -> str:
        """The value of a selectable field."""
        if label == "metadata.name":
            return self.name
        if label == "metadata.namespace":
            return self.namespace
        return self.fields.get(label, "")


Convert = Callable[[bytes], bytes]


class CacheEvent:
    """A change: `entry` is the state after it (of a deletion: the last state), `prev` the state before."""

    __slots__ = ("_messages", "deleted", "entry", "head", "prev", "revision", "traceparent")

    def __init__(
        self, entry: Entry, prev: Entry | None, revision: int, deleted: bool, head: bytes, traceparent: str
    ) -> None:
        self.entry = entry
        self.prev = prev
        self.revision = revision
        self.deleted = deleted
        self.head = head
        self.traceparent = traceparent
        self._messages: dict[tuple[int, int], WatchEvent] | None = None

    def message(self, kind: int, convert: Convert | None = None) -> WatchEvent:
        """The event as `kind` (ADDED, MODIFIED, DELETED); built on first use and shared."""
        at = (kind, id(convert) if convert else 0)
        if self._messages is None:
            self._messages = {}
        found = self._messages.get(at)
        if found is None:
            data = self.entry.data
            if kind == DELETED and not self.deleted and self.prev is not None:
                data = encoding.respliced(self.prev.data, self.head, self.revision)
            found = WatchEvent(
                type=EventType.ValueType(kind), object=convert(data) if convert else data, traceparent=self.traceparent
            )
            self._messages[at] = found
        return found

    def offered(self) -> None:
        """Every watcher has seen it: those who want it hold its message, the ring need not."""
        self._messages = None
