"""ForeignStore: an etcd in which a kube-apiserver has written, read as if everything in it were ours.

Kubernetes stores built-in kinds in protobuf, and may hold CustomResourceDefinitions and PodDisruptionBudgets of v1beta1
from before 1.22 and 1.25. All are translated where they are read; what we write stays JSON. A value that cannot be read
is `unreadable`, as one that cannot be decrypted.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from kybern.apiserver.core import old_budgets, old_definitions
from kybern.kube.protobuf.codec import MAGIC, ProtobufError, decode
from kybern.store.around import StoreAround
from kybern.store.contract import Event, KeyValue, RangeResult, Store, TxnResult, WatchBatch, Write

DEFINITIONS = "/registry/apiextensions.k8s.io/customresourcedefinitions/"
BUDGETS = "/registry/poddisruptionbudgets/"
Translation = Callable[[dict[str, Any]], dict[str, Any]]
OLD: dict[str, tuple[str, Translation]] = {  # by prefix: the version, and what it is in v1
    DEFINITIONS: (old_definitions.GROUP_VERSION, old_definitions.as_v1),
    BUDGETS: (old_budgets.GROUP_VERSION, old_budgets.as_v1),
}
_PREFIXES = tuple(OLD)


def translated(kv: KeyValue) -> KeyValue:
    """What a key holds, as JSON of the version that is stored."""
    try:
        if kv.value.startswith(MAGIC):
            kv = kv._replace(value=orjson.dumps(decode(kv.value)))
        if kv.key.startswith(_PREFIXES) and kv.value:
            version, as_v1 = next(OLD[prefix] for prefix in _PREFIXES if kv.key.startswith(prefix))
            found = orjson.loads(kv.value)
            if found.get("apiVersion") == version:
                kv = kv._replace(value=orjson.dumps(as_v1(found)))
    except (ProtobufError, orjson.JSONDecodeError, AttributeError) as error:
        return kv._replace(value=b"", unreadable=f"unable to decode: {error}")
    return kv


def beneath(store: Store) -> Store:
    """The store that values come from, encrypted or not."""
    return store.inner if isinstance(store, ForeignStore) else store


class ForeignStore(StoreAround):
    """See Store."""

    async def get(self, key: str, revision: int = 0) -> tuple[KeyValue | None, int]:
        """See Store."""
        kv, at = await self.inner.get(key, revision)
        return kv and translated(kv), at

    async def range(self, prefix: str, *, start_after: str = "", limit: int = 0, revision: int = 0) -> RangeResult:
        """See Store."""
        found = await self.inner.range(prefix, start_after=start_after, limit=limit, revision=revision)
        return replace(found, items=[translated(kv) for kv in found.items])

    async def watch(
        self, prefix: str, *, start_revision: int, progress: float = 10.0, own: bool = True
    ) -> AsyncGenerator[WatchBatch, None]:
        """See Store."""
        batches = self.inner.watch(prefix, start_revision=start_revision, progress=progress, own=own)
        try:
            async for batch in batches:
                yield replace(batch, events=[_event(event) for event in batch.events]) if batch.events else batch
        finally:
            await batches.aclose()

    async def txn(self, writes: Sequence[Write]) -> TxnResult:
        """See Store."""
        result = await self.inner.txn(writes)
        return result._replace(current=[kv and translated(kv) for kv in result.current])


def _event(event: Event) -> Event:
    return Event(event.kind, translated(event.kv), event.prev and translated(event.prev))
