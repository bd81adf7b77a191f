"""Leases for objects that end by themselves (Events): many objects share a lease, so that few are granted.

A lease is granted for its ttl and a little more and given to every write of the next minute; it is never kept alive.
"""

import asyncio

from kybern.apiserver.storage.failure import StorageFailed
from kybern.store.contract import Store
from kybern.store.errors import StoreUnavailable

SHARED = 60.0  # seconds in which writes share a lease


class Leases:
    """The current lease of each ttl."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._current: dict[float, tuple[float, asyncio.Future[int]]] = {}

    async def current(self, ttl: float) -> int:
        """A lease that ends in `ttl` to `ttl` + SHARED seconds; 0 for a ttl of 0."""
        if not ttl:
            return 0
        loop = asyncio.get_running_loop()
        known = self._current.get(ttl)
        if known is None or known[0] <= loop.time() or _failed(known[1]):
            task = asyncio.ensure_future(self._store.lease_grant(ttl + SHARED))
            known = self._current[ttl] = (loop.time() + SHARED, task)
        try:
            return await asyncio.shield(known[1])
        except StoreUnavailable as error:
            raise StorageFailed(error) from error

    def forget(self) -> None:
        """The store does not know a lease any more: grant new ones."""
        self._current.clear()


def _failed(grant: "asyncio.Future[int]") -> bool:
    return grant.done() and (grant.cancelled() or grant.exception() is not None)
