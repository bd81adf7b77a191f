"""Leases: keys that go away when nobody keeps them alive. Pure bookkeeping; time is an argument.

A lease's keys are those whose newest version names it. `keys` keeps candidates only (a key may have moved to another
lease since), so the store checks them against the index before it deletes. After a restart every lease gets its full
time again, as etcd does after a change of leader.
"""

import heapq


class Leases:
    """Deadlines and candidate keys by lease id. A lease that is `ending` is already gone for everybody else."""

    def __init__(self) -> None:
        self._ttl: dict[int, float] = {}
        self._deadline: dict[int, float] = {}
        self._keys: dict[int, set[str]] = {}
        self._ending: set[int] = set()
        self._heap: list[tuple[float, int]] = []

    def __contains__(self, lease: int) -> bool:
        return lease in self._ttl and lease not in self._ending

    def add(self, lease: int, ttl: float, now: float) -> None:
        """A new lease."""
        self._ttl[lease] = ttl
        self._keys[lease] = set()
        self.renew(lease, now)

    def renew(self, lease: int, now: float) -> float:
        """Start its time anew; its ttl."""
        ttl = self._ttl[lease]
        self._set_deadline(lease, now + ttl)
        return ttl

    def attach(self, lease: int, key: str) -> None:
        """The key was written with this lease."""
        self._keys[lease].add(key)

    def candidates(self, lease: int) -> list[str]:
        """Keys that were written with this lease, in order."""
        return sorted(self._keys[lease])

    def end(self, lease: int) -> None:
        """Its deletion is on the way."""
        self._ending.add(lease)

    def ended(self, lease: int) -> None:
        """Its deletion is done."""
        self._ending.discard(lease)
        del self._ttl[lease], self._deadline[lease], self._keys[lease]

    def retry_end(self, lease: int, at: float) -> None:
        """Its deletion failed: it is over all the same, `expired` names it again."""
        self._ending.discard(lease)
        self._set_deadline(lease, at)

    def next_deadline(self) -> float | None:
        """When the next lease ends, if there is any."""
        while self._heap and not self._current(*self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def expired(self, now: float) -> list[int]:
        """Leases whose time is over."""
        over = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            over.append(heapq.heappop(self._heap)[1])
        return over

    def _set_deadline(self, lease: int, deadline: float) -> None:
        self._deadline[lease] = deadline
        heapq.heappush(self._heap, (deadline, lease))

    def _current(self, deadline: float, lease: int) -> bool:
        return lease not in self._ending and self._deadline.get(lease) == deadline
