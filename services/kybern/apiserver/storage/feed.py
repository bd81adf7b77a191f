"""Feed: the one stream of changes from the store into all caches, in revision order.

A store tells a writer what its transaction did; that is applied before the write is acknowledged, so a client reads its
own writes. Revisions are contiguous: a result that comes before its predecessor waits for it. What others write to a
shared store comes by its watch; a write is acknowledged, and a fresh read answered, when the caches have reached its
revision.
"""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby

from kybern.apiserver.core.keys import ROOT
from kybern.apiserver.storage.cacher import Cacher
from kybern.apiserver.storage.entry import Object
from kybern.apiserver.storage.failure import StorageFailed
from kybern.apiserver.storage.metrics import StoreCalls
from kybern.kube.status import timeout
from kybern.store.contract import Delete, Event, KeyValue, Store, TxnResult, Write, events_of
from kybern.store.errors import CompactedError, StoreUnavailable
from kybern.telemetry import Telemetry

PAGE = 2000
CATCH_UP = 10.0  # seconds that a read or write waits for the caches
REMEMBERED = 10_000  # trace contexts of own writes to a shared store
AT_ONCE = 200  # events taken from the watch before others have a turn
HURRY = 0.1  # seconds that somebody waits before the store is asked how far its watch is
AGAIN = 1.0  # seconds between attempts to load anew


class Feed:
    """Owns the caches' progress. `revision`: everything up to it is in the caches."""

    def __init__(self, store: Store, telemetry: Telemetry) -> None:
        self.store = store
        self.revision = 0
        self.compacted = 0  # history before it is forgotten, as far as we know
        self.patience = CATCH_UP
        self.prelude: tuple[Cacher, Callable[[], None]] | None = None  # loaded first, and told: it makes more caches
        self._log = telemetry.log
        self._calls = StoreCalls()
        telemetry.registry.register(self._calls)
        self._cachers: dict[str, Cacher] = {}
        self._ahead: dict[int, tuple[Sequence[Event], Object | None, str]] = {}
        self._loading = False  # once more: what writers tell comes by the watch that follows
        self._traces: dict[int, str] = {}
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._tickets = 0
        self._somebody_waits = asyncio.Event()
        self._asking: asyncio.Future[int] | None = None  # how new the store is
        self._asking_next: asyncio.Future[int] | None = None

    def add(self, cacher: Cacher) -> None:
        """Feed a cache, from the next `load` or change on."""
        self._cachers[cacher.prefix.removeprefix(ROOT).rstrip("/")] = cacher

    def remove(self, cacher: Cacher) -> None:
        """Feed a cache no more."""
        self._cachers.pop(cacher.prefix.removeprefix(ROOT).rstrip("/"), None)

    def cacher(self, key: str) -> Cacher | None:
        """The cache that a key belongs to."""
        first, _, rest = key.removeprefix(ROOT).partition("/")
        found = self._cachers.get(first)
        if found is None and rest:
            found = self._cachers.get(f"{first}/{rest.partition('/')[0]}")
        return found

    async def load(self) -> None:
        """Fill the caches with what is in the store."""
        revision = 0
        if self.prelude is not None:
            first, loaded = self.prelude
            revision = await self._load(first.prefix, 0)
            loaded()
        revision = await self._load(ROOT, revision)
        for cacher in self._cachers.values():
            cacher.loaded(revision)
        self.revision = revision

    async def _load(self, prefix: str, revision: int) -> int:
        """Everything below a prefix, as it is at a revision (0: now); the revision."""
        page = await self.store.range(prefix, limit=PAGE, revision=revision)
        while page.more:
            after, shown = page.items[-1].key, page.revision
            next_page = asyncio.ensure_future(self.store.range(prefix, start_after=after, limit=PAGE, revision=shown))
            try:
                await asyncio.sleep(0)  # the store reads it while this one is taken in
                self._load_page(page.items)
                page = await next_page
            finally:
                next_page.cancel()
        self._load_page(page.items)
        return page.revision

    def _load_page(self, items: Sequence[KeyValue]) -> None:
        for kv in items:
            cacher = self.cacher(kv.key)
            if cacher is not None:
                cacher.load(kv)

    async def run(self) -> None:
        """Follow the store for as long as the service lives."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            if not self.store.exclusive:
                tasks.create_task(self._hurry())

    async def _follow(self) -> None:
        while True:
            watch = self.store.watch(ROOT, start_revision=self.revision + 1, own=not self.store.exclusive)
            try:
                async for batch in watch:
                    if self.store.exclusive:
                        await asyncio.sleep(0)  # writers, who know the trace context, come first
                        if batch.revision <= self.revision:  # and have told all of it
                            continue
                    since_pause = 0
                    for revision, grouped in groupby(batch.events, key=lambda event: event.kv.mod_revision):
                        events = list(grouped)
                        if revision > self.revision:
                            self._take(revision, events, None, self._traces.pop(revision, ""))
                            since_pause += len(events)
                        if since_pause >= AT_ONCE:
                            since_pause = 0
                            await asyncio.sleep(0)  # others have their turn
                    self._advance(batch.revision)
            except CompactedError as error:
                self._log.warning("fell behind the store, loading again: %s", error)
                await self._load_again()
            finally:
                await watch.aclose()

    async def _load_again(self) -> None:
        """History is gone: watches are cut off and list again. Reads wait until everything is loaded."""
        self._loading = True
        self._ahead.clear()
        for cacher in self._cachers.values():
            cacher.reset()
        while True:
            try:
                await self.load()
                self._loading = False
                break
            except (StoreUnavailable, CompactedError) as error:
                self._log.warning("cannot load from the store: %s", error)
                for cacher in self._cachers.values():
                    cacher.reset()
                await asyncio.sleep(AGAIN)
        self._wake()

    async def _hurry(self) -> None:
        """A watch hears nothing of what is written elsewhere: while somebody waits, ask how far it is."""
        while True:
            await self._somebody_waits.wait()
            self._somebody_waits.clear()
            await asyncio.sleep(HURRY)
            if self._waiting:
                with suppress(StoreUnavailable):
                    await self.store.request_progress()
                self._somebody_waits.set()

    async def commit(self, writes: Sequence[Write], obj: Object | None, traceparent: str) -> TxnResult:
        """One transaction; returns when it is durable and, if it succeeded, in the caches."""
        time, cacher = asyncio.get_running_loop().time, self.cacher(writes[0].key)
        began = time()
        try:
            result = await self.store.txn(writes)
        except StoreUnavailable as error:
            self._calls.record(writes, cacher, time() - began, failed=True)
            raise StorageFailed(error) from error
        self._calls.record(writes, cacher, time() - began)
        if not result.succeeded:
            return result
        if result.revision > self.revision:
            events = events_of(writes, result) if not (result.presumed or self._loading) else ()
            if events:
                self._ahead[result.revision] = (events, obj, traceparent)
                self._drain()
            elif traceparent:
                self._traces[result.revision] = traceparent
                if len(self._traces) > REMEMBERED:
                    del self._traces[next(iter(self._traces))]
        await self.reached(result.revision)
        return result

    async def fresh(self) -> int:
        """Wait until the caches show every write acknowledged before now; their revision."""
        if not self.store.exclusive:
            await self.reached(await self._newest())
        return self.revision

    async def catch_up(self) -> bool:
        """Whether a shared store holds news that the caches did not have: then they have it now."""
        before = self.revision
        return await self.fresh() > before and not self.store.exclusive

    async def _newest(self) -> int:
        """The store's revision. All who ask while one question is under way share the next one."""
        if self._asking_next is None:
            self._asking_next = asyncio.ensure_future(self._ask(self._asking))
            self._asking_next.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            return await asyncio.shield(self._asking_next)
        except StoreUnavailable as error:
            raise StorageFailed(error) from error

    async def _ask(self, before: "asyncio.Future[int] | None") -> int:
        if before is not None:
            await asyncio.wait({before})
        self._asking, self._asking_next = self._asking_next, None  # who comes from here on asks again
        return await self.store.revision()

    async def outdated(self, key: str) -> bool:
        """Whether an object that has not changed should be written all the same: its encryption key is another now."""
        try:
            return await self.store.outdated(key)
        except StoreUnavailable as error:
            raise StorageFailed(error) from error

    async def discard(self, key: str) -> None:
        """Delete what is stored at a key, whatever it is."""
        await self.commit([Delete(key)], None, "")

    async def read_again(self) -> None:
        """Try what could not be read once more: the encryption configuration is another now."""
        for cacher in self._cachers.values():
            for key in list(cacher.unreadable):
                kv, _ = await self.store.get(cacher.prefix + key)
                if kv is not None and not kv.unreadable and key in cacher.unreadable:
                    cacher.recovered(kv)

    async def reached(self, revision: int) -> None:
        """Wait until the caches have reached a revision. Raises StatusError (504) if they do not."""
        if self.revision >= revision:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tickets += 1
        waiting = (revision, self._tickets, future)
        heapq.heappush(self._waiting, waiting)
        self._somebody_waits.set()
        try:
            async with asyncio.timeout(self.patience):
                await future
        except TimeoutError:
            error = timeout(f"Too large resource version: {revision}, current: {self.revision}", 1)
            cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            error.status["details"]["causes"] = [cause]
            raise error from None
        finally:
            if future.cancelled() and waiting in self._waiting:
                self._waiting.remove(waiting)
                heapq.heapify(self._waiting)

    @property
    def waiting(self) -> int:
        """How many wait for a revision to be reached."""
        return len(self._waiting)

    def _take(self, revision: int, events: Sequence[Event], obj: Object | None, traceparent: str) -> None:
        """Changes from the watch: they are complete up to their revision."""
        ahead = self._ahead.pop(revision, None)
        if ahead is not None:
            events, obj, traceparent = ahead
        self._apply(revision, events, obj, traceparent)
        self._drain()

    def _drain(self) -> None:
        while (ahead := self._ahead.pop(self.revision + 1, None)) is not None:
            self._apply(self.revision + 1, *ahead)

    def _apply(self, revision: int, events: Sequence[Event], obj: Object | None, traceparent: str) -> None:
        self.revision = revision
        for event in events:
            cacher = self.cacher(event.kv.key)
            if cacher is not None:
                cacher.apply(event, obj if len(events) == 1 else None, traceparent)
        self._wake()

    def _advance(self, revision: int) -> None:
        """The watch says that nothing is missing up to the revision."""
        if revision > self.revision:
            self.revision = revision
            self._drain()
            self._wake()

    def _wake(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.revision:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)
