"""ListParts: a large list cut at keys, so that who holds its parts is sent anew only those in which something changed.

A part is a range of keys whose objects are about PART bytes. Its number stands for exactly these objects in these
versions: a change takes the number away, and who lists next gives it another. Parts that have grown are cut again.
"""

from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from kybern.apiserver.storage.entry import Entry

PART = 256 << 10  # bytes
FEW = 4  # parts that may be small
Between = Callable[[str, str | None], Iterable[str]]


class Range(NamedTuple):
    """The keys from `first` up to the next range."""

    first: str
    number: int  # 0: something has changed since the last list
    size: int  # bytes


class Part(NamedTuple):
    """A part of one list; no entries if its number is known."""

    number: int
    entries: list[Entry] | None


class ListParts:
    """The list of the keys from `low` up to but not including `high` (None: no end)."""

    __slots__ = ("_firsts", "_high", "_low", "_numbers", "_part", "_ranges")

    def __init__(self, low: str, high: str | None, numbers: Iterator[int], part: int = PART) -> None:
        self._low, self._high, self._numbers, self._part = low, high, numbers, part
        self._set([])

    @property
    def size(self) -> int:
        """Bytes of the list when it was last listed."""
        return sum(found.size for found in self._ranges)

    def touch(self, key: str) -> None:
        """The object of a key has changed, has come, or has gone."""
        if key >= self._low and (self._high is None or key < self._high):
            at = max(0, bisect_right(self._firsts, key) - 1)
            self._ranges[at] = self._ranges[at]._replace(number=0)

    def listed(self, between: Between, entries: Mapping[str, Entry], known: Container[int]) -> list[Part]:
        """The list as it is now: `between` are its keys in a range, in order; none of its parts is empty."""
        ranges: list[Range] = []
        parts: list[Part] = []
        for at, found in enumerate(self._ranges):
            if found.number and found.number in known:
                ranges.append(found)
                parts.append(Part(found.number, None))
                continue
            end = self._ranges[at + 1].first if at + 1 < len(self._ranges) else self._high
            inside = [entries[key] for key in between(found.first, end)]
            if found.number:
                ranges.append(found)
                parts.append(Part(found.number, inside))
                continue
            for number, piece in enumerate(cut(inside, self._part)):
                first = piece[0].key if number else found.first
                ranges.append(Range(first, next(self._numbers), sum(len(entry.data) for entry in piece)))
                parts.append(Part(ranges[-1].number, piece))
        self._set(ranges)
        if len(ranges) > FEW and self.size < len(ranges) * (self._part // 4):
            self._set([])  # most of what there was is gone: cut anew
            return self.listed(between, entries, known)
        return parts

    def _set(self, ranges: list[Range]) -> None:
        """Ranges without a gap: what is empty has been left out."""
        self._ranges = [ranges[0]._replace(first=self._low), *ranges[1:]] if ranges else [Range(self._low, 0, 0)]
        self._firsts = [found.first for found in self._ranges]


def cut(entries: list[Entry], part: int) -> list[list[Entry]]:
    """Pieces of at least so many bytes, but for the last; what is not twice as large stays in one."""
    if sum(len(entry.data) for entry in entries) <= 2 * part:
        return [entries] if entries else []
    pieces: list[list[Entry]] = [[]]
    size = 0
    for entry in entries:
        if size >= part:
            pieces.append([])
            size = 0
        pieces[-1].append(entry)
        size += len(entry.data)
    return pieces
