"""SortedKeys: text keys in order, in blocks, so that adding and removing one costs the same among 1,000 and 1,000,000.

A plain sorted list moves everything behind the place. What `between` gives out are copies of blocks: changes made
meanwhile do not disturb who iterates.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from itertools import chain

BLOCK = 512


class SortedKeys:
    """Each key at most once."""

    __slots__ = ("_blocks", "_firsts", "_size")

    def __init__(self, keys: Iterable[str] = ()) -> None:
        ordered = sorted(keys)
        self._blocks = [ordered[start : start + BLOCK] for start in range(0, len(ordered), BLOCK)]
        self._firsts = [block[0] for block in self._blocks]
        self._size = len(ordered)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._blocks)

    def clear(self) -> None:
        """Remove all."""
        self._blocks, self._firsts, self._size = [], [], 0

    def add(self, key: str) -> None:
        """Add a key that is not there."""
        self._size += 1
        if not self._blocks:
            self._blocks, self._firsts = [[key]], [key]
            return
        at = max(0, bisect_right(self._firsts, key) - 1)
        block = self._blocks[at]
        if key > block[-1]:
            block.append(key)
        else:
            insort(block, key)
            self._firsts[at] = block[0]
        if len(block) > 2 * BLOCK:
            # Keys that come in order leave full blocks behind.
            cut = BLOCK * 2 if key == block[-1] else BLOCK
            self._blocks[at : at + 1] = [block[:cut], block[cut:]]
            self._firsts.insert(at + 1, block[cut])

    def remove(self, key: str) -> None:
        """Remove a key that is there. Raises KeyError."""
        at = bisect_right(self._firsts, key) - 1
        block = self._blocks[at] if at >= 0 else []
        place = bisect_left(block, key)
        if place == len(block) or block[place] != key:
            raise KeyError(key)
        del block[place]
        self._size -= 1
        if not block:
            del self._blocks[at], self._firsts[at]
        else:
            self._firsts[at] = block[0]

    def between(self, low: str, high: str | None = None) -> Iterator[str]:
        """Keys from `low` up to but not including `high` (None: the end), in order."""
        return chain.from_iterable(self._parts(low, high))

    def _parts(self, low: str, high: str | None) -> Iterator[list[str]]:
        first = max(0, bisect_right(self._firsts, low) - 1)
        last = len(self._blocks) if high is None else bisect_left(self._firsts, high)
        for block in self._blocks[first:last]:
            start = bisect_left(block, low) if block[0] < low else 0
            end = bisect_left(block, high) if high is not None and block[-1] >= high else len(block)
            yield block[start:end]

    def count(self, low: str, high: str | None = None) -> int:
        """How many keys `between` gives."""
        first = max(0, bisect_right(self._firsts, low) - 1)
        last = len(self._blocks) if high is None else bisect_left(self._firsts, high)
        if first >= last:
            return 0
        found = sum(map(len, self._blocks[first:last])) - bisect_left(self._blocks[first], low)
        if high is not None:
            found -= len(self._blocks[last - 1]) - bisect_left(self._blocks[last - 1], high)
        return max(0, found)
