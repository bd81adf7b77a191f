"""Feed: whoever waits for a revision that does not come is told so, and leaves nothing behind; own writes to a shared
store are in the caches before its watch tells of them, in their place among those of others."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest

from kybern.apiserver.storage.cacher import Cacher
from kybern.apiserver.storage.feed import Feed
from kybern.kube.status import StatusError
from kybern.store.contract import Put, TxnResult, Write
from kybern.store.sqlite import SqliteStore
from kybern.telemetry import Telemetry


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    store = await SqliteStore.open(":memory:", threaded=False)
    feed = Feed(store, Telemetry("test"))
    feed.patience = 0.02
    await feed.load()
    yield feed
    await store.close()


async def test_a_revision_that_does_not_come(feed: Feed) -> None:
    waiting = [asyncio.create_task(feed.reached(1 << 60)) for _ in range(3)]
    await asyncio.sleep(0)
    assert feed.waiting == 3
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(result, StatusError)
        assert (result.code, result.details["causes"][0]["reason"]) == (504, "ResourceVersionTooLarge")
    assert feed.waiting == 0


async def test_a_caller_that_goes_away(feed: Feed) -> None:
    feed.patience = 30.0
    task = asyncio.create_task(feed.reached(1 << 60))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert feed.waiting == 0


async def test_a_revision_that_comes_in_time(feed: Feed) -> None:
    feed.patience = 30.0
    waiting = asyncio.create_task(feed.reached(feed.revision + 1))
    await asyncio.sleep(0)
    result = await feed.commit([Put("/registry/x/a", b"{}")], None, "")
    await waiting
    assert (feed.revision, feed.waiting) == (result.revision, 0)


class Shared(SqliteStore):
    """A store that others write to as well."""

    exclusive = False
    presumes = False

    async def txn(self, writes: Sequence[Write]) -> TxnResult:
        result = await super().txn(writes)
        return result._replace(presumed=True, current=[None] * len(writes)) if self.presumes else result


@pytest.fixture
async def shared() -> AsyncIterator[tuple[Feed, Shared, list[tuple[str, int]]]]:
    """A feed, its store, and what its cache has been told."""
    store = await Shared.open(":memory:", threaded=False)
    assert isinstance(store, Shared)
    feed = Feed(store, Telemetry("test"))
    feed.patience = 5.0
    cacher = Cacher("", "configmaps", "ConfigMap", "v1", True, "/registry/configmaps/")
    told: list[tuple[str, int]] = []
    cacher.listeners.append(lambda event: told.append((event.entry.name, event.revision)))
    feed.add(cacher)
    await feed.load()
    yield feed, store, told
    await store.close()


def put(name: str) -> Put:
    metadata = b'"metadata":{"name":"%b","namespace":"default"}' % name.encode()
    value = b'{"kind":"ConfigMap","apiVersion":"v1",%b}' % metadata
    return Put(f"/registry/configmaps/default/{name}", value, expected=0)


async def follow(feed: Feed) -> None:
    """Until the caches have everything."""
    running = asyncio.create_task(feed.run())
    try:
        await feed.fresh()
        await asyncio.sleep(0.05)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_own_writes_do_not_wait_for_the_watch(shared: tuple[Feed, Shared, list[tuple[str, int]]]) -> None:
    feed, _, told = shared
    revisions = [(await feed.commit([put(name)], None, "")).revision for name in "abc"]
    assert told == list(zip("abc", revisions, strict=True))
    await follow(feed)
    assert len(told) == 3, "the watch says nothing new"


async def test_what_others_wrote_before_comes_first(shared: tuple[Feed, Shared, list[tuple[str, int]]]) -> None:
    feed, store, told = shared
    await store.txn([put("theirs")])
    own = asyncio.create_task(feed.commit([put("ours")], None, ""))
    await asyncio.sleep(0.02)
    assert (told, own.done()) == ([], False)
    await follow(feed)
    assert [name for name, _ in told] == ["theirs", "ours"]
    assert (await own).succeeded


async def test_what_is_presumed_comes_by_the_watch(shared: tuple[Feed, Shared, list[tuple[str, int]]]) -> None:
    feed, store, told = shared
    store.presumes = True
    own = asyncio.create_task(feed.commit([put("a")], None, ""))
    await asyncio.sleep(0.02)
    assert (told, own.done()) == ([], False)
    await follow(feed)
    assert (await own).succeeded
    assert [name for name, _ in told] == ["a"]
