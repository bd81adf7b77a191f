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
from kybern.store.contract import KeyValue
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
    """Its shape can change while it is open."""

    def __init__(self, stored: ResourceInfo, custom: CustomKind, kinds: Kinds | None = None) -> None:
        prefix = keys.prefix(stored.group, stored.resource, custom=True)
        super().__init__(stored.group, stored.resource, stored.kind, stored.api_version, stored.namespaced, prefix)
        self._custom, self._api_version, self._kinds = custom, stored.api_version, kinds
        self._fields = fields_reader(custom)

    def entry(self, kv: KeyValue, obj: Object | None = None) -> Entry:
        """As in `Cacher`; an object that was not just written may be of an older schema."""
        if obj is not None:
            return super().entry(kv, obj)
        found: Object = orjson.loads(kv.value)
        self._adapt(found)
        data = encoding.splice(encoding.encode(found), self._head(found), kv.mod_revision)
        return Entry(kv.key[len(self.prefix) :], data, kv.mod_revision, found, self._fields(found))

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
        if not custom.preserve:
            prune(custom.node, obj)
        custom.default(obj)

    def reshape(self, stored: ResourceInfo, custom: CustomKind, kinds: Kinds | None, revision: int) -> None:
        """Read everything anew through other schemas; open watches end if versions are converted otherwise."""
        moved = stored.api_version != self._api_version or (kinds is None) != (self._kinds is None)
        self._custom, self._api_version, self._kinds = custom, stored.api_version, kinds
        self._fields = fields_reader(custom)
        self.head = encoding.head(stored.kind, stored.api_version)
        self.forget_parts()
        for key, entry in list(self.entries.items()):
            obj = entry.decode()
            self._adapt(obj)
            data = encoding.splice(encoding.encode(obj), self._head(obj), entry.revision)
            self.entries[key] = Entry(key, data, entry.revision, obj, self._fields(obj))
        if moved:
            entries = dict(self.entries)
            self.reset()
            self.entries.update(entries)
            self.keys = SortedKeys(entries)
            self.loaded(max(revision, self.changed))
