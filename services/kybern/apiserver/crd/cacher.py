"""CustomCacher: the cache of a custom resource; what is stored is read through the present schema, as upstream does.

Objects are in the storage version, unless their versions need a webhook: those stay as they were written, each read
through the schema of its own version.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from kybern.apiserver.core import encoding, keys
from kybern.apiserver.core.fields import NO_FIELDS
from kybern.apiserver.storage.cacher import Cacher
from kybern.apiserver.storage.entry import Entry
from kybern.kube.schema import ResourceInfo
from kybern.kube.structural import CustomKind
from kybern.kube.structural.kind import member_at
from kybern.kube.structural.prune import prune
from kybern.store.contract import Event, EventKind, KeyValue
from kybern.store.sorted_keys import SortedKeys

Object = dict[str, Any]
Kinds = Mapping[str, CustomKind]  # by apiVersion


def fields_reader(kind: CustomKind) -> Callable[[Object], Mapping[str, str]]:
    """Reads the selectable fields of an object."""
    if not kind.selectable:
        return lambda obj: NO_FIELDS
    return lambda obj: {path.removeprefix("."): _text(member_at(obj, path)) for path in kind.selectable}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


class CustomCacher(Cacher):
    """Its shape can change while it is open. What is stored otherwise than it is read is kept beside its entry."""

    def __init__(self, stored: ResourceInfo, custom: CustomKind, kinds: Kinds | None = None) -> None:
        prefix = keys.prefix(stored.group, stored.resource, custom=True)
        super().__init__(stored.group, stored.resource, stored.kind, stored.api_version, stored.namespaced, prefix)
        self._custom, self._api_version, self._kinds = custom, stored.api_version, kinds
        self._fields = fields_reader(custom)
        self._stored: dict[str, bytes] = {}

    def entry(self, kv: KeyValue, obj: Object | None = None) -> Entry:
        """As in `Cacher`; an object that was not just written, through this schema, may be of another."""
        if obj is not None and self._alone:
            return super().entry(kv, obj)
        found: Object = orjson.loads(kv.value)
        self._adapt(found)
        return self._as(kv.key[len(self.prefix) :], kv.mod_revision, found)

    @property
    def _alone(self) -> bool:
        """Whether there is no other version to write."""
        return len(self._custom.api_versions) == 1

    def _read(self, kv: KeyValue, obj: Object | None) -> tuple[KeyValue, Entry | None]:
        kv, entry = super()._read(kv, obj)
        if entry is not None:
            self._keep(entry, kv.value)
        return kv, entry

    def _keep(self, entry: Entry, stored: bytes) -> None:
        same = entry.data == encoding.splice(stored, self._head(entry.decode()), entry.revision)
        if same:
            self._stored.pop(entry.key, None)
        else:
            self._stored[entry.key] = stored

    def as_read(self, obj: Object) -> Object:
        """As in `Cacher`."""
        if self._alone:
            return obj
        found: Object = orjson.loads(encoding.encode(obj))
        self._adapt(found)
        return found

    def apply(self, event: Event, obj: Object | None, traceparent: str) -> None:
        """As in `Cacher`."""
        super().apply(event, obj, traceparent)
        if event.kind is EventKind.DELETE:
            self._stored.pop(event.kv.key[len(self.prefix) :], None)

    def reset(self) -> None:
        """As in `Cacher`."""
        super().reset()
        self._stored.clear()

    def _as(self, key: str, revision: int, obj: Object) -> Entry:
        data = encoding.splice(encoding.encode(obj), self._head(obj), revision)
        return Entry(key, data, revision, obj, self._fields(obj))

    def _head(self, obj: Object) -> bytes:
        return self.head if self._kinds is None else encoding.head(obj["kind"], obj["apiVersion"])

    def _adapt(self, obj: Object) -> None:
        custom: CustomKind | None = self._custom
        if self._kinds is None:
            obj["apiVersion"] = self._api_version
        else:
            custom = self._kinds.get(obj["apiVersion"])
        if custom is None:
            return  # a version that the definition has no more: the webhook may know it
        custom.repair(obj)
        if not custom.preserve:
            prune(custom.node, obj)
        custom.default(obj)

    def reshape(self, stored: ResourceInfo, custom: CustomKind, kinds: Kinds | None) -> None:
        """Read everything anew through other schemas."""
        self._custom, self._api_version, self._kinds = custom, stored.api_version, kinds
        self._fields = fields_reader(custom)
        self.head = encoding.head(stored.kind, stored.api_version)
        self.forget_parts()
        for key, entry in list(self.entries.items()):
            before = self._stored.get(key) or encoding.encode(entry.decode())
            obj = orjson.loads(before)
            self._adapt(obj)
            self.entries[key] = self._as(key, entry.revision, obj)
            self._keep(self.entries[key], before)

    def restart(self, revision: int) -> None:
        """End every watch: what they have shown would be read otherwise now."""
        entries, stored = dict(self.entries), dict(self._stored)
        self.reset()
        self.entries.update(entries)
        self._stored.update(stored)
        self.keys = SortedKeys(entries)
        self.loaded(max(revision, self.changed))
