"""Connections to other servers that wait for their next request: as many as were needed at once, for a while."""

from __future__ import annotations

import asyncio

from kybern.gateway.forward.upstream import Destination, Upstream

KEPT = 128  # connections to one destination
KEPT_SECONDS = 60.0  # less than what servers usually keep an idle client


class Pool:
    """A connection is in one request's hands or here."""

    def __init__(self) -> None:
        self._idle: dict[Destination, list[tuple[float, Upstream]]] = {}

    def take(self, to: Destination) -> Upstream | None:
        """A connection that seems to be good; the newest, so that the others grow old."""
        now, idle = asyncio.get_running_loop().time(), self._idle.get(to, [])
        found = None
        while idle and found is None:
            since, upstream = idle.pop()
            if now - since < KEPT_SECONDS and upstream.is_open:
                found = upstream
            else:
                upstream.close()
        if not idle:
            self._idle.pop(to, None)
        return found

    def give(self, to: Destination, upstream: Upstream) -> None:
        """Keep a connection whose answer was read to its end."""
        now = asyncio.get_running_loop().time()
        self._sweep(now)
        idle = self._idle.setdefault(to, [])
        if len(idle) < KEPT and upstream.is_open:
            idle.append((now, upstream))
        else:
            upstream.close()

    def _sweep(self, now: float) -> None:
        for to, idle in list(self._idle.items()):
            while idle and now - idle[0][0] >= KEPT_SECONDS:
                idle.pop(0)[1].close()
            if not idle:
                del self._idle[to]

    def close(self) -> None:
        """Close everything that waits."""
        for idle in self._idle.values():
            for _, upstream in idle:
                upstream.close()
        self._idle.clear()

    def __len__(self) -> int:
        return sum(map(len, self._idle.values()))
