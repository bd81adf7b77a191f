"""Compiled: what the objects of a cache are made into for admission, once for each change of an object."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from kybern.apiserver.storage.cacher import Cacher
from kybern.apiserver.storage.entry import Entry

Object = dict[str, Any]
T = TypeVar("T")


class Compiled(Generic[T]):
    """By name; an object that did not change is not compiled again."""

    def __init__(self, cacher: Cacher, make: Callable[[Object], T]) -> None:
        self._cacher, self._make = cacher, make
        self._seen = -1
        self._known: dict[str, tuple[Entry, T]] = {}
        self._all: list[T] = []

    @property
    def version(self) -> int:
        """Another one after each change."""
        return self._cacher.changed

    def all(self) -> list[T]:
        """In the order of their names; the same list while nothing changes."""
        if self._cacher.changed != self._seen:
            self._seen = self._cacher.changed
            before, self._known = self._known, {}
            for name in sorted(self._cacher.entries):
                entry = self._cacher.entries[name]
                known = before.get(name)
                if known is None or known[0] is not entry:
                    known = (entry, self._make(entry.decode()))
                self._known[name] = known
            self._all = [one for _, one in self._known.values()]
        return self._all
