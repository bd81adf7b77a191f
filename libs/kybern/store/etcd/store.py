"""EtcdStore: the Store contract on an etcd v3 cluster.

Concurrency: no tasks of its own; every method is one or a few calls, every watch one stream owned by its iterator.
Differences that etcd imposes: a lease's ttl is whole seconds, and at least about two; a transaction has at most 128
writes and 1.5 MiB (server flags).
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
from aetcd import rpc

from kybern.rpc.streams import END_OF_STREAM
from kybern.store.contract import Check, Delete, KeyValue, Put, RangeResult, TxnResult, WatchBatch, Write, check_writes
from kybern.store.durable import replacing
from kybern.store.errors import (
    CompactedError,
    FutureRevisionError,
    LeaseNotFoundError,
    OutcomeUnknown,
    StoreUnavailable,
)
from kybern.store.etcd.cluster import HAS_LEADER, Cluster, Member, translate
from kybern.store.etcd.tls import Tls
from kybern.store.etcd.watch import EtcdWatch
from kybern.store.etcd.wire import interval, key_value, previous, txn_request

PAGE = 1000
ATTEMPTS = 3  # time limits that a write whose answer is lost is given to come to an end


class EtcdStore:
    """See Store. Make one with `open`."""

    exclusive = False

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._watches: set[EtcdWatch] = set()

    @classmethod
    async def open(cls, endpoints: Sequence[str], *, tls: Tls | None = None, timeout: float = 5.0) -> "EtcdStore":
        """Connect. `endpoints` are HOST:PORT. Raises StoreUnavailable if no member answers within the timeout."""
        store = cls(Cluster(endpoints, tls, timeout))
        try:
            await store.revision()
        except BaseException:
            await store.close()
            raise
        return store

    async def get(self, key: str, revision: int = 0) -> tuple[KeyValue | None, int]:
        """See Store."""
        response = await self._range(rpc.RangeRequest(key=key.encode(), revision=revision), Member.range_one)
        found = key_value(response.kvs[0]) if response.kvs else None
        return found, revision or response.header.revision

    async def range(self, prefix: str, *, start_after: str = "", limit: int = 0, revision: int = 0) -> RangeResult:
        """See Store. Fetches page by page, so that no single message grows without bound."""
        items: list[KeyValue] = []
        count = -1
        while True:
            begin, end = interval(prefix, items[-1].key if items else start_after)
            size = min(PAGE, limit - len(items)) if limit else PAGE
            request = rpc.RangeRequest(key=begin, range_end=end, limit=size, revision=revision)
            response = await self._range(request)
            revision = revision or response.header.revision
            count = response.count if count < 0 else count
            items += map(key_value, response.kvs)
            if not response.more or (limit and len(items) >= limit):
                return RangeResult(items, revision, bool(response.more), count)

    async def _range(self, request: Any, send: Callable[[Member, Any], Awaitable[Any]] = Member.range) -> Any:
        try:
            return await self._cluster.call(lambda member: send(member, request), repeatable=True)
        except CompactedError as e:
            raise CompactedError(request.revision) from e
        except FutureRevisionError as e:
            raise FutureRevisionError(request.revision, await self.revision()) from e

    async def _call(self, method: Callable[[Member], Any], request: Any, *, repeatable: bool) -> Any:
        def send(member: Member) -> Awaitable[Any]:
            answer: Awaitable[Any] = method(member)(request, timeout=self._cluster.timeout, metadata=HAS_LEADER)
            return answer

        return await self._cluster.call(send, repeatable=repeatable)

    async def revision(self) -> int:
        """See Store. A read of nothing, which etcd orders after every acknowledged write."""
        response = await self._range(rpc.RangeRequest(key=b"\0", limit=1, keys_only=True), Member.range_one)
        return int(response.header.revision)

    def watch(
        self, prefix: str, *, start_revision: int, progress: float = 10.0, own: bool = True
    ) -> AsyncGenerator[WatchBatch, None]:
        """See Store."""
        return EtcdWatch(self._cluster, prefix, start_revision, progress, self._watches).run()

    async def txn(self, writes: Sequence[Write]) -> TxnResult:
        """See Store. When the answer is lost, a transaction that compares every key it writes is sent again: if it
        turns out to have happened the first time, that is the answer. Any other: OutcomeUnknown."""
        check_writes(writes)
        request = txn_request(writes)
        deadline = asyncio.get_running_loop().time() + ATTEMPTS * self._cluster.timeout
        lost = False
        while True:
            try:
                response = await self._cluster.call(lambda member: member.txn(request), repeatable=False)
                break
            except LeaseNotFoundError as e:
                leases = [write.lease for write in writes if isinstance(write, Put) and write.lease]
                raise LeaseNotFoundError(leases[0]) from e
            except OutcomeUnknown:
                if any(write.expected is None for write in writes) or asyncio.get_running_loop().time() > deadline:
                    raise
                lost = True
            except StoreUnavailable as e:
                if lost:
                    raise OutcomeUnknown(str(e)) from e
                raise
        result = TxnResult(
            response.succeeded, response.header.revision, [previous(operation) for operation in response.responses]
        )
        return happened(writes, result) if lost and not result.succeeded else result

    async def request_progress(self) -> None:
        """See Store."""
        for watch in list(self._watches):
            await watch.request_progress()

    async def outdated(self, key: str) -> bool:
        """See Store. Values are stored as they are given."""
        return False

    async def lease_grant(self, ttl: float) -> int:
        """See Store."""
        if ttl <= 0:
            raise ValueError("a lease needs a ttl above 0 seconds")
        request = rpc.LeaseGrantRequest(TTL=math.ceil(ttl))
        return int((await self._call(lambda m: m.lease.LeaseGrant, request, repeatable=True)).ID)

    async def lease_keepalive(self, lease: int) -> float:
        """See Store."""

        async def send(member: Member) -> Any:
            call = member.lease.LeaseKeepAlive(timeout=self._cluster.timeout, metadata=HAS_LEADER)
            await call.write(rpc.LeaseKeepAliveRequest(ID=lease))
            response = await call.read()
            call.cancel()
            if response is END_OF_STREAM:
                raise StoreUnavailable(f"etcd {member.endpoint} ended the keep-alive of a lease: try again")
            return response

        response = await self._cluster.call(send, repeatable=True)
        if response.TTL <= 0:
            raise LeaseNotFoundError(lease)
        return float(response.TTL)

    async def lease_revoke(self, lease: int) -> None:
        """See Store."""
        try:
            await self._call(lambda m: m.lease.LeaseRevoke, rpc.LeaseRevokeRequest(ID=lease), repeatable=False)
        except LeaseNotFoundError as e:
            raise LeaseNotFoundError(lease) from e

    async def compact(self, revision: int) -> None:
        """See Store."""
        try:
            await self._call(lambda m: m.kv.Compact, rpc.CompactionRequest(revision=revision), repeatable=False)
        except CompactedError as e:
            raise CompactedError(revision) from e
        except FutureRevisionError as e:
            raise FutureRevisionError(revision, await self.revision()) from e

    async def snapshot(self, path: Path) -> int:
        """See Store. The file is etcd's own format: `etcdctl snapshot restore` makes a member of it."""
        revision = await self.revision()
        member = await self._cluster.member()
        with replacing(Path(path)) as partial:
            file = await asyncio.to_thread(partial.open, "wb")
            with file:
                remaining = 1
                try:
                    async for chunk in member.maintenance.Snapshot(rpc.SnapshotRequest()):
                        remaining = chunk.remaining_bytes
                        await asyncio.to_thread(file.write, chunk.blob)
                except grpc.aio.AioRpcError as error:
                    raise translate(error, member.endpoint) from error
            if remaining:
                raise StoreUnavailable(f"etcd {member.endpoint} ended the snapshot early: take it again")
        return revision

    async def close(self) -> None:
        """See Store."""
        await self._cluster.close()


def happened(writes: Sequence[Write], result: TxnResult) -> TxnResult:
    """A failed repetition, unless the state is what the first attempt wanted: then it was that attempt's doing (or as
    good as). The versions before it are not known any more."""
    revision = 0
    for write, now in zip(writes, result.current, strict=True):
        match write:
            case Put():
                if now is None or now.value != write.value or now.mod_revision == write.expected:
                    return result
                revision = max(revision, now.mod_revision)
            case Delete():
                if now is not None:
                    return result
            case Check():
                if (now.mod_revision if now else 0) != write.expected:
                    return result
    return TxnResult(True, revision or result.revision, [None] * len(writes), presumed=True)
