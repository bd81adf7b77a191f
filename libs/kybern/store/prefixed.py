"""PrefixedStore: any Store, with its keys below another root than /registry, as --etcd-prefix asks for.

Only keys below the root are touched, so that several apiservers share one etcd and see nothing of each other but its
revisions.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from kybern.store.around import StoreAround
from kybern.store.contract import Event, KeyValue, RangeResult, Store, TxnResult, WatchBatch, Write, check_writes

ROOT = "/registry"


class PrefixedStore(StoreAround):
    """See Store."""

    def __init__(self, inner: Store, root: str, of: str = ROOT) -> None:
        """`root` stands where keys begin with `of`: it begins with a slash and does not end with one."""
        super().__init__(inner)
        self._root, self._of = root, of

    def _inward(self, key: str) -> str:
        return self._root + key.removeprefix(self._of)

    def _outward(self, kv: KeyValue) -> KeyValue:
        return kv._replace(key=self._of + kv.key.removeprefix(self._root))

    async def get(self, key: str, revision: int = 0) -> tuple[KeyValue | None, int]:
        """See Store."""
        kv, at = await self.inner.get(self._inward(key), revision)
        return kv and self._outward(kv), at

    async def range(self, prefix: str, *, start_after: str = "", limit: int = 0, revision: int = 0) -> RangeResult:
        """See Store."""
        after = start_after and self._inward(start_after)
        found = await self.inner.range(self._inward(prefix), start_after=after, limit=limit, revision=revision)
        return replace(found, items=[self._outward(kv) for kv in found.items])

    async def watch(
        self, prefix: str, *, start_revision: int, progress: float = 10.0, own: bool = True
    ) -> AsyncGenerator[WatchBatch, None]:
        """See Store."""
        batches = self.inner.watch(self._inward(prefix), start_revision=start_revision, progress=progress, own=own)
        try:
            async for batch in batches:
                yield WatchBatch(batch.revision, [self._event(event) for event in batch.events])
        finally:
            await batches.aclose()

    def _event(self, event: Event) -> Event:
        return Event(event.kind, self._outward(event.kv), event.prev and self._outward(event.prev))

    async def txn(self, writes: Sequence[Write]) -> TxnResult:
        """See Store."""
        check_writes(writes)
        result = await self.inner.txn([replace(write, key=self._inward(write.key)) for write in writes])
        return result._replace(
            current=[kv and self._outward(kv) for kv in result.current],
            events=tuple(self._event(event) for event in result.events),
        )

    async def outdated(self, key: str) -> bool:
        """See Store."""
        return await self.inner.outdated(self._inward(key))
