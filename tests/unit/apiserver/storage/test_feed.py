"""Feed: whoever waits for a revision that does not come is told so, and leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kybern.apiserver.storage.feed import Feed
from kybern.kube.status import StatusError
from kybern.store.contract import Put
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
