"""StoreAround: a Store around another one, for those that change keys or values on their way in and out."""

from pathlib import Path

from kybern.store.contract import Store


class StoreAround:
    """What has neither keys nor values, handed on as it is. The rest of Store is for who derives from it."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.exclusive = inner.exclusive

    async def outdated(self, key: str) -> bool:
        """See Store."""
        return await self.inner.outdated(key)

    async def request_progress(self) -> None:
        """See Store."""
        await self.inner.request_progress()

    async def revision(self) -> int:
        """See Store."""
        return await self.inner.revision()

    async def lease_grant(self, ttl: float) -> int:
        """See Store."""
        return await self.inner.lease_grant(ttl)

    async def lease_keepalive(self, lease: int) -> float:
        """See Store."""
        return await self.inner.lease_keepalive(lease)

    async def lease_revoke(self, lease: int) -> None:
        """See Store."""
        await self.inner.lease_revoke(lease)

    async def compact(self, revision: int) -> None:
        """See Store."""
        await self.inner.compact(revision)

    async def snapshot(self, path: Path) -> int:
        """See Store. The copy is of everything in the inner store, as it is there."""
        return await self.inner.snapshot(path)

    async def close(self) -> None:
        """See Store."""
        await self.inner.close()
