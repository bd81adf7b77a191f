"""Watching etcd so that a lost connection neither loses nor repeats an event.

Each watch has its own stream. Its position is the revision after the last one delivered; after any break the next
stream, on the next member, begins there. etcd never splits a revision between two responses (we do not ask for
fragments), so the position is always between revisions.

Progress notes: etcd sends them by itself every ten minutes (a server flag). Asked-for notes could overtake events
before 3.4.25 and 3.5.8, so older servers are not asked: there a key below the watched prefix is written instead, whose
event, like any other, cannot overtake. It is not shown as one.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import grpc
from aetcd import rpc

from kybern.store.contract import WatchBatch
from kybern.store.errors import CompactedError, StoreUnavailable
from kybern.store.etcd.cluster import HAS_LEADER, PAUSE, Cluster, Member
from kybern.store.etcd.wire import event, interval

log = logging.getLogger(__name__)
PROGRESS_ON_REQUEST = {(3, 4): 25, (3, 5): 8}
MARK = "~progress"  # written below the prefix of a watch on an old server


class Interrupted(Exception):
    """The stream ended; go on with another."""


class EtcdWatch:
    """One watch, over as many streams as it takes."""

    def __init__(
        self, cluster: Cluster, prefix: str, start_revision: int, progress: float, registered: "set[EtcdWatch]"
    ) -> None:
        self._cluster = cluster
        self._registered = registered
        self._mark = prefix + MARK
        self._call: Any = None  # of the stream that stands
        self._answers = False  # its server answers progress requests in order
        self._writing = asyncio.Lock()
        self._begin, self._end = interval(prefix)
        self._position = start_revision
        self._progress = progress
        self._silent = False  # nothing has come since this was set

    async def run(self) -> AsyncGenerator[WatchBatch, None]:
        """See Store.watch."""
        self._registered.add(self)
        try:
            async for batch in self._run():
                yield batch
        finally:
            self._registered.discard(self)

    async def request_progress(self) -> None:
        """See Store. Nothing if there is no stream just now: the next one begins where this one ended."""
        if self._call is None:
            return
        try:
            if self._answers:
                await self._ask(self._call)
            else:
                request = rpc.PutRequest(key=self._mark.encode())
                await (await self._cluster.member()).kv.Put(request, timeout=self._cluster.timeout, metadata=HAS_LEADER)
        except (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError) as e:
            log.debug("no progress asked for: %s", e)

    async def _ask(self, call: Any) -> None:
        async with self._writing:
            await call.write(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()))

    async def _run(self) -> AsyncGenerator[WatchBatch, None]:
        while not self._cluster.closed:
            try:
                member = await self._cluster.member()
            except StoreUnavailable as e:
                if self._cluster.closed:
                    return
                log.warning("watch waits: %s", e)
                continue
            stream = self._stream(member)
            try:
                async for batch in stream:
                    self._position = batch.revision + 1
                    yield batch
            except (grpc.aio.AioRpcError, grpc.aio.UsageError, Interrupted) as e:
                if self._cluster.closed:
                    return
                log.info("watch on %s interrupted, goes on from %d: %s", member.endpoint, self._position, _reason(e))
                self._cluster.leave(member)
                await asyncio.sleep(PAUSE)
            finally:
                await stream.aclose()

    async def _stream(self, member: Member) -> AsyncGenerator[WatchBatch, None]:
        if not self._position:
            self._position = (await _revision(member, self._cluster.timeout)) + 1
        self._answers = await _answers_progress(member, self._cluster.timeout)
        call = member.watch.Watch(metadata=HAS_LEADER)
        asking = asyncio.create_task(self._ask_when_silent(call)) if self._answers and self._progress else None
        try:
            await call.write(rpc.WatchRequest(create_request=self._create_request()))
            while True:
                response = await _read(call)
                self._silent = False
                if not isinstance(response, rpc.WatchResponse):  # the end of the stream
                    raise Interrupted("the member closed the stream")
                if response.created and not response.canceled:
                    await self._check_compaction(member)
                    self._call = call
                elif (batch := self._batch(response)) is not None:
                    yield batch
        finally:
            self._call = None
            call.cancel()
            if asking is not None:
                asking.cancel()
                await asyncio.wait({asking})

    async def _ask_when_silent(self, call: Any) -> None:
        """Ask for a note whenever nothing has come for a while; whoever reads learns why, if that fails."""
        with suppress(grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError):
            while True:
                self._silent = True
                await asyncio.sleep(self._progress)
                if self._silent:
                    await self._ask(call)

    def _create_request(self) -> Any:
        return rpc.WatchCreateRequest(
            key=self._begin,
            range_end=self._end,
            start_revision=self._position,
            prev_kv=True,
            progress_notify=True,
        )

    def _batch(self, response: Any) -> WatchBatch | None:
        if response.compact_revision:
            raise CompactedError(self._position, response.compact_revision)
        if response.canceled:
            raise Interrupted(response.cancel_reason)
        events = [event(message) for message in response.events]
        if events:
            return WatchBatch(events[-1].kv.mod_revision, [e for e in events if e.kv.key != self._mark])
        # A note; behind our position it says nothing new (a future start, a member that lags).
        return WatchBatch(response.header.revision) if response.header.revision >= self._position else None

    async def _check_compaction(self, member: Member) -> None:
        """etcd lets a watch begin at the compact revision itself, whose deletions are gone. The contract does not."""
        before = max(self._position - 1, 1)
        request = rpc.RangeRequest(key=self._begin, revision=before, limit=1, keys_only=True)
        try:
            await member.kv.Range(request, timeout=self._cluster.timeout, metadata=HAS_LEADER)
        except grpc.aio.AioRpcError as e:
            if "has been compacted" in (e.details() or ""):
                raise CompactedError(self._position) from e
            if "future revision" not in (e.details() or ""):
                raise


async def _read(call: Any) -> Any:
    """The next message. Raises Interrupted when the channel is closed, which is no cancellation of the caller."""
    try:
        return await call.read()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and not task.cancelling():
            raise Interrupted("the channel was closed") from None
        raise


async def _revision(member: Member, timeout: float) -> int:
    response = await member.kv.Range(rpc.RangeRequest(key=b"\0", limit=1), timeout=timeout, metadata=HAS_LEADER)
    return int(response.header.revision)


async def _answers_progress(member: Member, timeout: float) -> bool:
    """Whether the member's version answers progress requests in order."""
    status = await member.maintenance.Status(rpc.StatusRequest(), timeout=timeout)
    major, minor, patch = (int("".join(c for c in part if c.isdigit()) or 0) for part in status.version.split(".")[:3])
    return (major, minor) >= (3, 4) and patch >= PROGRESS_ON_REQUEST.get((major, minor), 0)


def _reason(error: Exception) -> str:
    return (error.details() or error.code().name) if isinstance(error, grpc.aio.AioRpcError) else str(error)
