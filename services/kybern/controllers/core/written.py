"""Objects a controller has written and not yet seen come back: while there are any, its picture is old.

For controllers that make several objects for one key (slices of a Service), where an old picture would make duplicates.
Expectations that are not met within half a minute are given up.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from kybern.kube import meta
from kybern.kube.meta import Object

EXPIRE_SECONDS = 30.0
Get = Callable[[str], Object | None]


@dataclass(slots=True)
class Written:
    """Open writes by the owner's key: object key → resourceVersion written, or None for a deletion."""

    _writes: dict[str, dict[str, str | None]] = field(default_factory=dict)
    _uids: dict[str, str] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)

    def wrote(self, key: str, obj: Object, now: float) -> None:
        """Created or updated: the answer of the apiserver."""
        self._writes.setdefault(key, {})[meta.key(obj)] = meta.resource_version(obj)
        self._since[key] = now

    def deleted(self, key: str, obj: Object, now: float) -> None:
        self._writes.setdefault(key, {})[meta.key(obj)] = None
        self._uids[meta.key(obj)] = meta.uid(obj)
        self._since[key] = now

    def up_to_date(self, key: str, get: Get, now: float) -> bool:
        """Everything written for the key is in the mirror, or newer than that."""
        writes = self._writes.get(key)
        if not writes:
            return True
        for name, version in [*writes.items()]:
            if self._seen(name, version, get(name)):
                del writes[name]
                self._uids.pop(name, None)
        if not writes or now - self._since[key] > EXPIRE_SECONDS:
            self.forget(key)
            return True
        return False

    def forget(self, key: str) -> None:
        for name in self._writes.pop(key, {}):
            self._uids.pop(name, None)
        self._since.pop(key, None)

    def _seen(self, name: str, version: str | None, obj: Object | None) -> bool:
        if version is None:
            return obj is None or meta.uid(obj) != self._uids.get(name)
        return obj is not None and int(meta.resource_version(obj) or 0) >= int(version or 0)
