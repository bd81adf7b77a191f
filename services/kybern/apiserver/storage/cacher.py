"""Cacher: every object of one resource, encoded, in key order, with the recent past for watches to resume from.

It is changed only by the feed, in revision order, inside one event loop step per change; so a reader sees whole
revisions.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count

import orjson

from kybern.apiserver.core import encoding, fields
from kybern.apiserver.storage.audiences import Audiences
from kybern.apiserver.storage.entry import CacheEvent, Convert, Entry, Object
from kybern.apiserver.storage.list_counts import ListCounts
from kybern.apiserver.storage.list_parts import ListParts
from kybern.apiserver.storage.selection import Selection
from kybern.apiserver.storage.turns import Turns
from kybern.apiserver.storage.watcher import Watcher
from kybern.kube.status import expired, service_unavailable
from kybern.store.contract import Event, EventKind, KeyValue
from kybern.store.sorted_keys import SortedKeys

RING = 4096  # events kept for watches to resume from
LISTS = 16  # namespaces ("" = all) whose large lists are kept in parts
Listener = Callable[[CacheEvent], None]


class Cacher:
    """See the module's docstring. `head`, group and version are those of the storage version."""

    def __init__(self, group: str, resource: str, kind: str, api_version: str, namespaced: bool, prefix: str) -> None:
        self.group, self.resource, self.kind = group, resource, kind
        self.namespaced = namespaced
        self.prefix = prefix
        self.head = encoding.head(kind, api_version)
        self.closing = False
        self.changed = 0  # revision of the newest change
        self.published = self.loads = 0  # changes passed on; times that everything was loaded
        self.lists = ListCounts()
        self.entries: dict[str, Entry] = {}
        self.keys = SortedKeys()
        self.unreadable: dict[str, str] = {}  # key → why what is stored there cannot be read
        self._fields = fields.fields_reader(group, resource)
        self._ring: deque[CacheEvent] = deque(maxlen=RING)
        self._floor = 0  # every event after this revision is in the ring
        self._audiences = Audiences(fields.trigger(group, resource))
        self.listeners: list[Listener] = []
        self._lists: dict[str, ListParts] = {}  # by namespace ("" = all)
        self._part_numbers = count(1)
        self.turns = Turns()

    # Reads

    def get(self, namespace: str, name: str) -> Entry | None:
        """One object."""
        return self.entries.get(f"{namespace}/{name}" if self.namespaced else name)

    def select(self, selection: Selection, after: str = "") -> Iterator[Entry]:
        """Selected entries in key order, strictly after a key."""
        name = selection.pinned("metadata.name")
        if name is not None and (selection.namespace or not self.namespaced):
            entry = self.get(selection.namespace, name)
            if entry is not None and entry.key > after and selection.matches(entry):
                yield entry
            return
        entries, everything = self.entries, selection.plain
        for key in self._keys(selection.namespace, after):
            entry = entries[key]
            if everything or selection.matches(entry):
                yield entry

    def count(self, namespace: str, after: str) -> int:
        """How many objects of a namespace ("" = all) come after a key."""
        return self.keys.count(*_between(namespace, after))

    def parts(self, namespace: str, make: bool = False) -> ListParts | None:
        """The parts of the list of a namespace ("" = all), if they are kept, or `make` says that they shall be."""
        found = self._lists.get(namespace)
        if found is None and make:
            if len(self._lists) >= LISTS:
                del self._lists[next(iter(self._lists))]
            found = self._lists[namespace] = ListParts(*_between(namespace, ""), self._part_numbers)
        return found

    def forget_parts(self) -> None:
        """Objects are others without a change of theirs."""
        self._lists.clear()

    def _keys(self, namespace: str, after: str) -> Iterable[str]:
        return self.keys.between(*_between(namespace, after))

    # Changes, from the feed alone

    def load(self, kv: KeyValue) -> None:
        """Take over an object that is in the store at the start."""
        kv, entry = self._read(kv, None)
        if entry is None:
            self.unreadable[kv.key[len(self.prefix) :]] = kv.unreadable
            return
        if entry.key not in self.entries:
            self.keys.add(entry.key)
        self.entries[entry.key] = entry
        self.lists.loaded += 1
        self.forget_parts()

    def loaded(self, revision: int) -> None:
        """Everything up to the revision is loaded; watches can start from there."""
        self._floor = self.changed = revision
        self.loads += 1

    def reset(self) -> None:
        """Forget everything (history was lost): watchers are cut off and list again."""
        self._audiences.end()
        self.forget_parts()
        self.entries.clear()
        self.keys.clear()
        self.unreadable.clear()
        self._ring.clear()

    def apply(self, event: Event, obj: Object | None, traceparent: str) -> None:
        """One change, in revision order."""
        kv = event.kv
        key = kv.key[len(self.prefix) :]
        prev = self.entries.get(key)
        read: Entry | None = None
        if event.kind is EventKind.PUT:
            kv, read = self._read(kv, obj)
        if kv.unreadable or (self.unreadable and self.unreadable.pop(key, None) is not None):
            self._interrupt(key, kv, prev)
            prev = None
        if kv.unreadable:
            return
        if read is None:
            if prev is None:
                return
            del self.entries[key]
            self.keys.remove(key)
            data = encoding.respliced(prev.data, self.head, kv.mod_revision)
            entry = prev.with_data(data, kv.mod_revision)
        else:
            entry = read
            if prev is None:
                self.keys.add(key)
            self.entries[key] = entry
        for parts in self._lists.values():
            parts.touch(key)
        self._publish(CacheEvent(entry, prev, kv.mod_revision, event.kind is EventKind.DELETE, self.head, traceparent))

    def _read(self, kv: KeyValue, obj: Object | None) -> tuple[KeyValue, Entry | None]:
        """The entry of a version; none, and why, for what is no object."""
        if kv.unreadable:
            return kv, None
        try:
            return kv, self.entry(kv, obj)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            return kv._replace(unreadable=f"unable to decode: {error}"), None

    def _interrupt(self, key: str, kv: KeyValue, prev: Entry | None) -> None:
        """An object becomes unreadable, or is so no more: no event can say that, so all watches end and list again."""
        if kv.unreadable:
            self.unreadable[key] = kv.unreadable
        if prev is not None:
            del self.entries[key]
            self.keys.remove(key)
        self.forget_parts()
        self._ring.clear()
        self._floor = self.changed = kv.mod_revision
        self._audiences.end()

    def recovered(self, kv: KeyValue) -> None:
        """An object can be read again, as it is now; watches have ended when it became unreadable."""
        del self.unreadable[kv.key[len(self.prefix) :]]
        self.load(kv)

    def entry(self, kv: KeyValue, obj: Object | None = None) -> Entry:
        """An entry for a version of an object, decoded here unless it is known."""
        obj = orjson.loads(kv.value) if obj is None else obj
        data = encoding.splice(kv.value, self.head, kv.mod_revision)
        key = kv.key[len(self.prefix) :]
        return Entry(key, data, kv.mod_revision, obj, self._fields(obj))

    def as_read(self, obj: Object) -> Object:
        """What is about to be written, as it will be read."""
        return obj

    def _publish(self, event: CacheEvent) -> None:
        if len(self._ring) == self._ring.maxlen:
            self._floor = self._ring[0].revision
        self._ring.append(event)
        self.changed = event.revision
        self.published += 1
        for listener in self.listeners:
            listener(event)
        self._audiences.offer(event)

    # Watches

    def watch(self, selection: Selection, since: int, convert: Convert | None = None) -> Watcher:
        """A watcher that already holds every matching event after revision `since`. Raises StatusError (410)."""
        if since < self._floor:
            raise expired(f"too old resource version: {since} ({self._floor})")
        if self.closing:
            raise service_unavailable("the apiserver is shutting down")
        audience = self._audiences.audience(selection, convert)
        watcher = Watcher(audience)
        messages = [audience.message(event) for event in self._since(since)]
        missed = [message for message in messages if message is not None]
        if missed:
            watcher.push(missed)
        self._audiences.join(watcher)
        return watcher

    def _since(self, revision: int) -> list[CacheEvent]:
        newer = []
        for event in reversed(self._ring):
            if event.revision <= revision:
                break
            newer.append(event)
        newer.reverse()
        return newer

    @property
    def capacity(self) -> int:
        """How many recent events are kept at most."""
        return self._ring.maxlen or 0

    def limit_ring(self, events: int) -> None:
        """Keep another number of recent events."""
        kept = list(self._ring)[-events:]
        if len(kept) < len(self._ring):
            self._floor = self._ring[-len(kept) - 1].revision
        self._ring = deque(kept, maxlen=events)

    def end_watches(self) -> None:
        """End every open watch, and those that come: the server stops."""
        self.closing = True
        self._audiences.end()

    def crowd(self, namespace: str, name: str) -> int:
        """How many watch for changes of an object, by what they say of namespace and name."""
        found = self._audiences.crowd
        if not found:
            return 0
        count = found["", ""] + (found["", name] if name else 0)
        return count + (found[namespace, ""] + (found[namespace, name] if name else 0) if namespace else 0)

    def watchers(self) -> int:
        """How many watches are open."""
        return sum(1 for _ in self._audiences)


def _between(namespace: str, after: str) -> tuple[str, str | None]:
    """The keys of a namespace ("" = all) after a key: from, and up to but not including."""
    low = after + "\0" if after else ""
    return (max(low, f"{namespace}/"), f"{namespace}0") if namespace else (low, None)
