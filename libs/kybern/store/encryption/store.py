"""EncryptedStore: any Store, with values encrypted on their way in and decrypted on their way out.

Keys, revisions and sizes stay visible. A value that cannot be read does not end the read: it comes as a KeyValue with
`unreadable` set and no value, so that one broken object leaves the others alone.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import replace

from kybern.store.around import StoreAround
from kybern.store.contract import Event, KeyValue, Put, RangeResult, Store, TxnResult, WatchBatch, Write, check_writes
from kybern.store.encryption.config import EncryptionConfig, ProviderConfig
from kybern.store.encryption.kms import Kms
from kybern.store.encryption.transformers import PLAIN, Chain, Identity, LocalKeys, Provider, Unreadable

Classify = Callable[[str], tuple[str, str] | None]
"""From a key to the (group, resource) it belongs to; None for what is no object."""


class EncryptedStore(StoreAround):
    """See Store. `configure` may be called again at any time."""

    def __init__(self, inner: Store, config: EncryptionConfig, classify: Classify) -> None:
        super().__init__(inner)
        self._classify = classify
        self._config = EncryptionConfig()
        self._chains: dict[tuple[str, str] | None, Chain] = {}
        self._kms: dict[ProviderConfig, Kms] = {}
        self._retired: list[Kms] = []
        self.configure(config)

    def configure(self, config: EncryptionConfig) -> None:
        """Write and read as another configuration says from now on. Raises ConfigurationError, and changes nothing."""
        made = {provider: self._provider(provider) for entry in config.resources for provider in entry.providers}
        for unused in self._kms.keys() - made.keys():
            self._retired.append(self._kms.pop(unused))
        self._config, self._made, self._chains = config, made, {None: PLAIN}

    def _provider(self, config: ProviderConfig) -> Provider:
        if config.kind == "identity":
            return Identity()
        if config.kind == "kms":
            if config not in self._kms:
                self._kms[config] = Kms(config)
            return self._kms[config]
        return LocalKeys(config.kind, config.keys)

    def plugins(self) -> list[Kms]:
        """The KMS plugins in use, for health checks."""
        return list(self._kms.values())

    def _chain(self, key: str) -> Chain:
        resource = self._classify(key)
        chain = self._chains.get(resource)
        if chain is None:
            assert resource is not None
            providers = tuple(self._made[config] for config in self._config.providers(*resource))
            chain = self._chains[resource] = Chain(providers) if providers else PLAIN
        return chain

    # Out

    async def _fetch(self, found: Iterable[KeyValue]) -> dict[str, str]:
        """Ask KMS plugins for the seeds of these values; key → why one cannot be had."""
        failed: dict[str, str] = {}
        if not self._kms:
            return failed
        for kv in found:
            for provider in self._chain(kv.key).providers:
                if isinstance(provider, Kms) and kv.value.startswith(provider.prefix):
                    try:
                        await provider.fetch(kv.value)
                    except Unreadable as error:
                        failed[kv.key] = str(error)
        return failed

    def _open(self, kv: KeyValue, failed: dict[str, str]) -> KeyValue:
        chain = self._chain(kv.key)
        if not kv.value and not kv.version:  # a tombstone
            return kv
        try:
            if kv.key in failed:
                raise Unreadable(failed[kv.key])
            value = chain.open(kv.value, kv.key.encode())
        except Unreadable as error:
            return kv._replace(value=b"", unreadable=str(error) or "unreadable")
        return kv if value is kv.value else kv._replace(value=value)

    async def get(self, key: str, revision: int = 0) -> tuple[KeyValue | None, int]:
        """See Store."""
        kv, at = await self.inner.get(key, revision)
        if kv is None:
            return None, at
        return self._open(kv, await self._fetch([kv])), at

    async def range(self, prefix: str, *, start_after: str = "", limit: int = 0, revision: int = 0) -> RangeResult:
        """See Store."""
        found = await self.inner.range(prefix, start_after=start_after, limit=limit, revision=revision)
        failed = await self._fetch(found.items)
        return replace(found, items=[self._open(kv, failed) for kv in found.items])

    async def watch(
        self, prefix: str, *, start_revision: int, progress: float = 10.0, own: bool = True
    ) -> AsyncGenerator[WatchBatch, None]:
        """See Store."""
        batches = self.inner.watch(prefix, start_revision=start_revision, progress=progress, own=own)
        try:
            async for batch in batches:
                if not batch.events:
                    yield batch
                    continue
                failed = await self._fetch([kv for e in batch.events for kv in (e.kv, e.prev) if kv is not None])
                yield WatchBatch(batch.revision, [self._event(event, failed) for event in batch.events])
        finally:
            await batches.aclose()

    def _event(self, event: Event, failed: dict[str, str]) -> Event:
        prev = self._open(event.prev, failed) if event.prev is not None else None
        return Event(event.kind, self._open(event.kv, failed), prev)

    async def outdated(self, key: str) -> bool:
        """See Store."""
        kv, _ = await self.inner.get(key)
        chain = self._chain(key)
        if kv is None:
            return False
        await self._prepare([chain])
        return not chain.current(kv.value)

    # In

    async def _prepare(self, chains: Iterable[Chain]) -> None:
        if self._kms:
            for chain in chains:
                if isinstance(chain.providers[0], Kms):
                    await chain.providers[0].prepare()

    async def txn(self, writes: Sequence[Write]) -> TxnResult:
        """See Store. StoreUnavailable as well when a KMS plugin is needed and does not answer: nothing was written."""
        check_writes(writes)
        await self._prepare([self._chain(write.key) for write in writes if isinstance(write, Put)])
        result = await self.inner.txn([self._seal(write) for write in writes])
        failed = await self._fetch([kv for kv in result.current if kv is not None])
        return result._replace(current=[kv and self._open(kv, failed) for kv in result.current], events=())

    def _seal(self, write: Write) -> Write:
        if not isinstance(write, Put):
            return write
        chain = self._chain(write.key)
        return write if chain is PLAIN else replace(write, value=chain.seal(write.value, write.key.encode()))

    async def close(self) -> None:
        """See Store."""
        await super().close()
        for plugin in [*self._kms.values(), *self._retired]:
            await plugin.close()
