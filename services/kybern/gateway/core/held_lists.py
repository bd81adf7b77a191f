"""Large lists as they were last sent: when the apiserver says that nothing has changed, they are sent again.

Who asks is authorized by the apiserver each time. What is held is bounded; the longest unused goes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LIMIT = 48 << 20  # bytes of all lists together
LARGEST = LIMIT // 2  # of one


@dataclass(frozen=True)
class HeldList:
    """The parts of a list up to its last item, compressed if `packer` is there to go on with.

    If they have numbers, they are HTTP chunks, each with a comma before its items, and go into the next list if the
    apiserver says so.
    """

    etag: str
    parts: tuple[bytes, ...]
    packer: Any = None  # a zlib compressor; copied before it is used
    numbers: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))


class HeldLists:
    """Lists by what was asked for."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._size = 0
        self._lists: dict[object, HeldList] = {}  # the longest unused first

    def find(self, key: object) -> HeldList | None:
        """The list that was sent last."""
        held = self._lists.pop(key, None)
        if held is not None:
            self._lists[key] = held
        return held

    def put(self, key: object, held: HeldList) -> None:
        """Hold a list instead of the one before."""
        self.drop(key)
        self._lists[key] = held
        self._size += held.size
        while self._size > self._limit:
            self.drop(next(iter(self._lists)))

    def drop(self, key: object) -> None:
        """Hold it no longer."""
        before = self._lists.pop(key, None)
        if before is not None:
            self._size -= before.size
