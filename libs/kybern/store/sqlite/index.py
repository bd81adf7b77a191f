"""The key index (etcd's treeIndex): which versions of each key exist, in memory; values stay on disk.

Every version has an id, revision * 65536 + its place in the transaction, which is also its row on disk. The index may
run ahead of the disk by the transactions under way; readers name a revision and so never see those. If a commit
fails, `rollback` takes them out again. Pure: no I/O, no clock.
"""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

SUB_BITS = 16
MAX_WRITES = 1 << SUB_BITS
COMPACT_STEP = 2000


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


class Garbage(NamedTuple):
    """A version nobody can read once `revision` is compacted."""

    revision: int
    key: str
    id: int


class Index:
    """Sorted keys, and each key's versions, oldest first."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._versions: dict[str, list[Version]] = {}
        self._garbage: deque[Garbage] = deque()

    def head(self, key: str) -> Version | None:
        """The newest version, None if there is none or it is a tombstone."""
        versions = self._versions.get(key)
        return versions[-1] if versions and versions[-1].version else None

    def at(self, key: str, revision: int) -> Version | None:
        """The version that a reader at `revision` sees."""
        return _visible(self._versions.get(key, ()), (revision + 1) << SUB_BITS)

    def before(self, key: str, version_id: int) -> Version | None:
        """The version that `version_id` replaced, if it is still known."""
        return _visible(self._versions.get(key, ()), version_id)

    def load(self, history: Iterable[tuple[str, Version]]) -> None:
        """Fill an empty index, oldest version first."""
        for key, version in history:
            self._add(key, version)
        self._keys = sorted(self._versions)

    def append(self, key: str, version: Version) -> None:
        """Add the newest version of a key."""
        if key not in self._versions:
            insort(self._keys, key)
        self._add(key, version)

    def _add(self, key: str, version: Version) -> None:
        versions = self._versions.setdefault(key, [])
        if versions:
            self._garbage.append(Garbage(version.revision, key, versions[-1].id))
        if not version.version:
            self._garbage.append(Garbage(version.revision, key, version.id))
        versions.append(version)

    def rollback(self, revision: int, keys: list[str]) -> None:
        """Forget everything after `revision`; `keys` are the keys written since."""
        limit = (revision + 1) << SUB_BITS
        for key in keys:
            versions = self._versions.get(key)
            if versions is None or versions[-1].id < limit:
                continue
            while versions and versions[-1].id >= limit:
                versions.pop()
            if not versions:
                self._drop(key)
        while self._garbage and self._garbage[-1].revision > revision:
            self._garbage.pop()

    def range(self, prefix: str, start_after: str, limit: int, revision: int) -> tuple[list[tuple[str, Version]], int]:
        """The first `limit` (0 = all) visible keys, and how many there are without the limit."""
        lo = bisect_right(self._keys, start_after) if start_after >= prefix else bisect_left(self._keys, prefix)
        end = prefix_end(prefix)
        hi = len(self._keys) if end is None else bisect_left(self._keys, end, lo)
        upto = (revision + 1) << SUB_BITS
        found: list[tuple[str, Version]] = []
        count = 0
        for key in self._keys[lo:hi]:
            versions = self._versions[key]
            newest = versions[-1]
            visible = (newest if newest.version else None) if newest.id < upto else _visible(versions, upto)
            if visible is not None:
                count += 1
                if not limit or count <= limit:
                    found.append((key, visible))
        return found, count

    def compact(self, revision: int, limit: int) -> list[int]:
        """Forget what nobody can read at or after `revision`, a step at a time; the ids of the rows to delete."""
        gone: list[int] = []
        while len(gone) < limit and self._garbage and self._garbage[0].revision <= revision:
            _, key, version_id = self._garbage.popleft()
            versions = self._versions[key]
            for position, version in enumerate(versions):
                if version.id == version_id:
                    del versions[position]
                    break
            if not versions:
                self._drop(key)
            gone.append(version_id)
        return gone

    def _drop(self, key: str) -> None:
        del self._versions[key]
        del self._keys[bisect_left(self._keys, key)]


def _visible(versions: "list[Version] | tuple[()]", before_id: int) -> Version | None:
    """The newest version below the id, None if that is a tombstone."""
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
