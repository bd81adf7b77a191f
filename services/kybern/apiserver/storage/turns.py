"""Turns: writers of one object that have lost to another once try again one after the other, not all at once.

Of a hundred who patch an object at the same time, each round would let one through and send all others round again.
"""

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """Locks by key, for as long as somebody holds or wants one."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> asyncio.Lock:
        """The lock of an object."""
        found = self._locks.get(key)
        if found is None:
            found = self._locks[key] = asyncio.Lock()
        return found

    def __len__(self) -> int:
        return len(self._locks)
