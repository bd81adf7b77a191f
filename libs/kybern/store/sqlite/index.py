"""The key index (etcd's treeIndex): which versions of each key exist, in memory; values stay on disk.

Every version has an id, revision * 65536 + its place in the transaction, which is also its row on disk. The index may
run ahead of the disk by the transactions under way; readers name a revision and so never see those. If a commit
fails, `rollback` takes them out again. Pure: no I/O, no clock.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from typing import NamedTuple

from kybern.store.sorted_keys import SortedKeys

SUB_BITS = 16
MAX_WRITES = 1 << SUB_BITS
COMPACT_STEP = 500
REMEMBERED = 10_000
"""Changes back to which a page's count is found without looking at every key."""


class Version(NamedTuple):
    """One version of a key; `version` 0 is a tombstone."""

    id: int
    create_revision: int
    version: int
    lease: int

    @property
    def revision(self) -> int:
        """The mod_revision."""
        return self.id >> SUB_BITS


Versions = list[Version] | int
"""Oldest first. Most keys are created and left alone: the id alone stands for a first version without a lease."""


class Garbage(NamedTuple):
    """A version nobody can read once `revision` is compacted."""

    revision: int
    key: str
    id: int


class Index:
    """Sorted keys, and each key's versions, oldest first."""

    def __init__(self) -> None:
        self._keys = SortedKeys()
        self._versions: dict[str, Versions] = {}
        self._garbage: deque[Garbage] = deque()
        self._dead = SortedKeys()  # keys whose newest version is a tombstone, sorted
        self._changes: deque[tuple[int, str]] = deque()
        self._remembered = REMEMBERED
        self._forgotten = 0  # the newest change no longer in _changes

    def head(self, key: str) -> Version | None:
        """The newest version, None if there is none or it is a tombstone."""
        versions = self._versions.get(key)
        if versions is None:
            return None
        newest = _first(versions) if isinstance(versions, int) else versions[-1]
        return newest if newest.version else None

    def at(self, key: str, revision: int) -> Version | None:
        """The version that a reader at `revision` sees."""
        return _visible(self._versions.get(key, []), (revision + 1) << SUB_BITS)

    def before(self, key: str, version_id: int) -> Version | None:
        """The version that `version_id` replaced, if it is still known."""
        return _visible(self._versions.get(key, []), version_id)

    def load(self, history: Iterable[tuple[str, Version]]) -> None:
        """Fill an empty index, oldest version first."""
        for key, version in history:
            self._add(key, version)
        self._keys = SortedKeys(self._versions)

    def append(self, key: str, version: Version) -> None:
        """Add the newest version of a key."""
        if key not in self._versions:
            self._keys.add(key)
        self._add(key, version)

    def _add(self, key: str, version: Version) -> None:
        before = self._versions.get(key)
        if before is None and _is_first(version):
            self._versions[key] = version.id
        else:
            self._add_to(_listed(before) if before is not None else [], key, version)
        self._changes.append((version.id, key))
        if len(self._changes) > self._remembered:
            self._forgotten = self._changes.popleft()[0]

    def _add_to(self, versions: list[Version], key: str, version: Version) -> None:
        if versions:
            self._garbage.append(Garbage(version.revision, key, versions[-1].id))
            if not versions[-1].version:
                self._dead.remove(key)
        if not version.version:
            self._garbage.append(Garbage(version.revision, key, version.id))
            self._dead.add(key)
        versions.append(version)
        self._versions[key] = versions

    def rollback(self, revision: int, keys: list[str]) -> None:
        """Forget everything after `revision`; `keys` are the keys written since."""
        limit = (revision + 1) << SUB_BITS
        for key in keys:
            found = self._versions.get(key)
            if found is None or (versions := _listed(found))[-1].id < limit:
                continue
            if not versions[-1].version:
                self._dead.remove(key)
            while versions and versions[-1].id >= limit:
                versions.pop()
            if not versions:
                self._drop(key)
                continue
            self._versions[key] = versions
            if not versions[-1].version:
                self._dead.add(key)
        while self._changes and self._changes[-1][0] >= limit:
            self._changes.pop()
        while self._garbage and self._garbage[-1].revision > revision:
            self._garbage.pop()

    def range(self, prefix: str, start_after: str, limit: int, revision: int) -> tuple[list[tuple[str, Version]], int]:
        """The first `limit` (0 = all) visible keys, and how many there are without the limit."""
        low, high = start_after + "\0" if start_after >= prefix and start_after else prefix, prefix_end(prefix)
        visible = self._visible_keys(low, high, (revision + 1) << SUB_BITS)
        found = list(islice(visible, limit)) if limit else list(visible)
        if not limit or len(found) < limit:
            return found, len(found)
        count = self._count(low, high, (revision + 1) << SUB_BITS)
        return found, len(found) + sum(1 for _ in visible) if count is None else count

    def _visible_keys(self, low: str, high: str | None, before_id: int) -> Iterator[tuple[str, Version]]:
        for key in self._keys.between(low, high):
            version = _visible(self._versions[key], before_id)
            if version is not None:
                yield key, version

    def _count(self, low: str, high: str | None, before_id: int) -> int | None:
        """How many of these keys were visible: those that are now, corrected by what changed since. None if too much
        changed to remember."""
        if self._forgotten >= before_id:
            return None
        count = self._keys.count(low, high) - self._dead.count(low, high)
        changed = {key for _, key in takewhile(lambda change: change[0] >= before_id, reversed(self._changes))}
        for key in changed:
            if low <= key and (high is None or key < high) and (versions := self._versions.get(key)):
                count += (_visible(versions, before_id) is not None) - (self.head(key) is not None)
        return count

    def compact(self, revision: int, limit: int) -> list[int]:
        """Forget what nobody can read at or after `revision`, a step at a time; the ids of the rows to delete."""
        gone: list[int] = []
        while len(gone) < limit and self._garbage and self._garbage[0].revision <= revision:
            _, key, version_id = self._garbage.popleft()
            versions = self._versions[key] = _listed(self._versions[key])
            for position, version in enumerate(versions):
                if version.id == version_id:
                    del versions[position]
                    break
            if not versions:  # the last to go was its tombstone
                self._dead.remove(key)
                self._drop(key)
            gone.append(version_id)
        return gone

    def _drop(self, key: str) -> None:
        del self._versions[key]
        self._keys.remove(key)


def _is_first(version: Version) -> bool:
    return version.version == 1 and not version.lease and version.create_revision == version.revision


def _first(version_id: int) -> Version:
    return Version(version_id, version_id >> SUB_BITS, 1, 0)


def _listed(versions: Versions) -> list[Version]:
    return [_first(versions)] if isinstance(versions, int) else versions


def _visible(versions: Versions, before_id: int) -> Version | None:
    """The newest version below the id, None if that is a tombstone."""
    if isinstance(versions, int):
        return _first(versions) if versions < before_id else None
    for version in reversed(versions):
        if version.id < before_id:
            return version if version.version else None
    return None


def prefix_end(prefix: str) -> str | None:
    """The smallest key after all keys with the prefix; None if there is no such key."""
    for position in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[position])
        if code < 0x10FFFF:
            # The surrogates between are not characters of keys, but order rightly.
            return prefix[:position] + chr(code + 1)
    return None
