"""The Store contract: one suite for every implementation. Revisions are compared relative to a base, since a shared
etcd does not begin at 1."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from kybern.store.contract import (
    ABSENT,
    Check,
    Delete,
    Event,
    EventKind,
    KeyValue,
    Put,
    Store,
    WatchBatch,
    Write,
    events_of,
)
from kybern.store.errors import CompactedError, FutureRevisionError, LeaseNotFoundError, StoreError, StoreUnavailable

PODS = "/registry/pods/default/"


async def take(watch: AsyncGenerator[WatchBatch, None], count: int) -> list[Event]:
    """The next `count` events; revisions must rise and batches hold whole revisions."""
    events: list[Event] = []
    async with asyncio.timeout(10):
        while len(events) < count:
            batch = await anext(watch)
            assert all(e.kv.mod_revision <= batch.revision for e in batch.events)
            if events and batch.events:
                assert batch.events[0].kv.mod_revision > events[-1].kv.mod_revision
            events += batch.events
    assert len(events) == count
    return events


async def put(store: Store, key: str, value: bytes = b"v", expected: int | None = None) -> int:
    """One successful write's revision."""
    result = await store.txn([Put(key, value, expected)])
    assert result.succeeded
    return result.revision


async def test_a_key_counts_its_versions(store: Store) -> None:
    base = await store.revision()
    assert await store.get("/a") == (None, base)
    first = await store.txn([Put("/a", b"1", ABSENT)])
    second = await store.txn([Put("/a", b"2", base + 1)])
    assert (first.succeeded, first.revision, first.current) == (True, base + 1, [None])
    old = KeyValue("/a", b"1", base + 1, base + 1, 1)
    new = KeyValue("/a", b"2", base + 1, base + 2, 2)
    assert (second.succeeded, second.revision, second.current) == (True, base + 2, [old])
    assert await store.get("/a") == (new, base + 2)
    assert await store.get("/a", revision=base + 1) == (old, base + 1)
    gone = await store.txn([Delete("/a", base + 2)])
    assert (gone.succeeded, gone.revision, gone.current) == (True, base + 3, [new])
    assert await store.get("/a") == (None, base + 3)
    await put(store, "/a", b"3", ABSENT)
    assert await store.get("/a") == (KeyValue("/a", b"3", base + 4, base + 4, 1), base + 4)


@pytest.mark.parametrize(
    ("write", "existing"),
    [
        pytest.param(Put("/k", b"new", ABSENT), True, id="create what exists"),
        pytest.param(Put("/k", b"new", 10**12), True, id="update an older version"),
        pytest.param(Put("/k", b"new", 10**12), False, id="update what is gone"),
        pytest.param(Delete("/k", 10**12), True, id="delete an older version"),
        pytest.param(Delete("/k", 10**12), False, id="delete what is gone, expecting it"),
        pytest.param(Check("/k", ABSENT), True, id="check absence of what exists"),
        pytest.param(Check("/k", 10**12), False, id="check version of what is gone"),
    ],
)
async def test_a_failed_comparison_changes_nothing_and_tells_the_state(
    store: Store, write: Write, existing: bool
) -> None:
    if existing:
        await put(store, "/k", b"old")
    before = await store.revision()
    now, _ = await store.get("/k")
    result = await store.txn([Put("/other", b"x"), write])
    assert (result.succeeded, result.current) == (False, [None, now])
    assert await store.revision() == before
    assert (await store.get("/other"))[0] is None
    assert events_of([Put("/other", b"x"), write], result) == []


async def test_one_transaction_is_one_revision(store: Store) -> None:
    await put(store, "/b", b"old")
    base = await store.revision()
    writes: list[Write] = [Put("/a", b"1"), Delete("/b"), Put("/c", b""), Check("/d", ABSENT), Delete("/none")]
    watch = store.watch("/", start_revision=base + 1)
    result = await store.txn(writes)
    assert result.succeeded
    assert result.revision == await store.revision() == base + 1
    batch = await anext(watch)
    assert batch.revision == base + 1
    assert list(batch.events) == events_of(writes, result)
    assert [(e.kind.value, e.kv.key) for e in batch.events] == [("PUT", "/a"), ("DELETE", "/b"), ("PUT", "/c")]
    assert batch.events[1].prev == KeyValue("/b", b"old", base, base, 1)
    await watch.aclose()


async def test_deleting_nothing_is_no_revision(store: Store) -> None:
    base = await store.revision()
    result = await store.txn([Delete("/none")])
    assert (result.succeeded, result.revision, result.current) == (True, base, [None])
    assert await store.revision() == base


@pytest.mark.parametrize(
    "writes",
    [
        pytest.param([], id="no write"),
        pytest.param([Put("/a", b""), Delete("/a")], id="a key twice"),
        pytest.param([Put("", b"")], id="empty key"),
        pytest.param([Put("/\ud800", b"")], id="lone surrogate"),
        pytest.param([Put("/a", "text")], id="text for a value"),  # type: ignore[arg-type]
    ],
)
async def test_refuses(store: Store, writes: list[Write]) -> None:
    with pytest.raises((ValueError, TypeError), match=r"\w"):
        await store.txn(writes)
    assert (await store.range("")).count == 0


async def test_concurrent_writers_of_one_key_take_turns(store: Store) -> None:
    """Optimistic concurrency: every increment counts once, whoever loses tries again."""
    await put(store, "/n", b"0")

    async def increment() -> None:
        for _ in range(5):
            while True:
                kv, _ = await store.get("/n")
                assert kv is not None
                if (await store.txn([Put("/n", b"%d" % (int(kv.value) + 1), kv.mod_revision)])).succeeded:
                    break

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(increment())
    kv, _ = await store.get("/n")
    assert kv is not None
    assert (kv.value, kv.version) == (b"50", 51)


async def test_concurrent_writers_get_different_revisions_and_watchers_see_each_once(store: Store) -> None:
    base = await store.revision()
    watch = store.watch(PODS, start_revision=base + 1)
    revisions = await asyncio.gather(*(put(store, f"{PODS}{i:03}", b"%d" % i) for i in range(200)))
    assert sorted(revisions) == list(range(base + 1, base + 201))
    events = await take(watch, 200)
    assert {e.kv.key: e.kv.mod_revision for e in events} == {f"{PODS}{i:03}": r for i, r in enumerate(revisions)}
    await watch.aclose()


async def test_an_acknowledged_write_is_read_by_all(store: Store) -> None:
    for i in range(20):
        revision = await put(store, "/a", b"%d" % i)
        (kv, at), listed, now = await asyncio.gather(store.get("/a"), store.range("/"), store.revision())
        assert kv is not None
        assert kv.value == listed.items[0].value == b"%d" % i
        assert at == listed.revision == now == revision


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", ["/a", "/a/1", "/a/2", "/a0", "/b", "/é", "/日本", "/😀"]),
        ("/a/", ["/a/1", "/a/2"]),
        ("/a", ["/a", "/a/1", "/a/2", "/a0"]),
        ("/é", ["/é"]),
        ("/日", ["/日本"]),
        ("/none", []),
    ],
)
async def test_range_is_ordered_by_code_point(store: Store, prefix: str, expected: list[str]) -> None:
    for key in ("/😀", "/a/2", "/日本", "/b", "/a", "/é", "/a/1", "/a0", "/deleted"):
        await put(store, key)
    await store.txn([Delete("/deleted")])
    result = await store.range(prefix)
    assert [kv.key for kv in result.items] == expected
    assert (result.count, result.more) == (len(expected), False)


async def test_pages_show_one_state(store: Store) -> None:
    for i in range(10):
        await put(store, f"/p/{i}", b"old")
    page = await store.range("/p/", limit=4)
    assert ([kv.key for kv in page.items], page.more, page.count) == ([f"/p/{i}" for i in range(4)], True, 10)
    await put(store, "/p/5", b"new")
    await put(store, "/p/55", b"new")
    await store.txn([Delete("/p/7")])
    seen = list(page.items)
    while page.more:
        page = await store.range("/p/", start_after=seen[-1].key, limit=4, revision=page.revision)
        assert page.count == 10 - len(seen)
        seen += page.items
    assert [(kv.key, kv.value) for kv in seen] == [(f"/p/{i}", b"old") for i in range(10)]
    assert [kv.key for kv in (await store.range("/p/", start_after="/p/5")).items] == ["/p/55", "/p/6", "/p/8", "/p/9"]
    assert (await store.range("/p/", start_after="/a")).count == 10
    assert (await store.range("/p/", start_after="/q")).count == 0


async def test_large_values(store: Store) -> None:
    value = bytes(range(256)) * 5860  # 1.5 MB
    base = await put(store, "/big", value)
    kv, _ = await store.get("/big")
    assert kv is not None
    assert kv.value == value
    watch = store.watch("/big", start_revision=base)
    assert (await take(watch, 1))[0].kv.value == value
    await watch.aclose()


async def test_watch_from_an_old_revision(store: Store) -> None:
    base = await store.revision()
    for i in range(5):
        await put(store, "/a", b"%d" % i)
        await put(store, "/b", b"%d" % i)
    await store.txn([Delete("/a")])
    watch = store.watch("/a", start_revision=base + 3)
    events = await take(watch, 5)
    assert [(e.kind, e.kv.value) for e in events] == [
        *((EventKind.PUT, b"%d" % i) for i in range(1, 5)),
        (EventKind.DELETE, b""),
    ]
    assert [e.prev.value for e in events if e.prev] == [b"0", b"1", b"2", b"3", b"4"]
    revision = await put(store, "/a", b"again")
    assert await take(watch, 1) == [Event(EventKind.PUT, KeyValue("/a", b"again", revision, revision, 1))]
    await watch.aclose()


async def test_a_watch_far_behind_catches_up(store: Store) -> None:
    base = await store.revision()
    for start in range(0, 3000, 100):
        await asyncio.gather(*(put(store, f"/far/{i}") for i in range(start, start + 100)))
    late = store.watch("/far/", start_revision=base + 1)
    first = await take_until(late, base + 3000)
    assert [e.kv.mod_revision for e in first] == list(range(base + 1, base + 3001))
    await late.aclose()


async def take_until(watch: AsyncGenerator[WatchBatch, None], revision: int) -> list[Event]:
    """All events up to a revision."""
    events: list[Event] = []
    async with asyncio.timeout(20):
        async for batch in watch:
            events += batch.events
            if batch.revision >= revision:
                return events
    raise AssertionError("the watch ended")


async def test_watch_a_future_revision(store: Store) -> None:
    base = await store.revision()
    watch = store.watch("/", start_revision=base + 3)
    waiting = asyncio.create_task(take(watch, 1))
    for i in range(3):
        await put(store, "/a", b"%d" % i)
        await asyncio.sleep(0.02)
    assert [e.kv.value for e in await waiting] == [b"2"]
    await watch.aclose()


async def test_watch_from_now(store: Store) -> None:
    await put(store, "/a", b"before")
    watch = store.watch("/", start_revision=0)
    waiting = asyncio.create_task(take(watch, 1))
    await asyncio.sleep(0.2)
    await put(store, "/a", b"after")
    assert [e.kv.value for e in await waiting] == [b"after"]
    await watch.aclose()


async def test_history_below_the_compact_revision_is_gone(store: Store) -> None:
    base = await store.revision()
    await put(store, "/a", b"1")
    await put(store, "/a", b"2")
    await put(store, "/b", b"1")
    await store.txn([Delete("/b")])
    compacted = await put(store, "/a", b"3")
    await put(store, "/a", b"4")
    await store.compact(compacted)
    for revision in range(base + 1, compacted):
        with pytest.raises(CompactedError):
            await store.get("/a", revision=revision)
        with pytest.raises(CompactedError):
            await store.range("/", revision=revision)
    for start in range(max(base, 1), compacted + 1):
        watch = store.watch("/", start_revision=start)
        with pytest.raises(CompactedError):
            await anext(watch)
    kv, _ = await store.get("/a", revision=compacted)
    assert kv is not None
    assert (kv.value, kv.version) == (b"3", 3)
    assert [kv.key for kv in (await store.range("/", revision=compacted)).items] == ["/a"]
    watch = store.watch("/", start_revision=compacted + 1)
    (event,) = await take(watch, 1)
    assert (event.kv.value, event.prev and event.prev.value) == (b"4", b"3")
    await watch.aclose()


async def test_compaction_has_rules(store: Store) -> None:
    revision = await put(store, "/a")
    with pytest.raises(FutureRevisionError):
        await store.compact(revision + 10)
    await store.compact(revision)
    with pytest.raises(CompactedError):
        await store.compact(revision)


async def test_future_revisions_do_not_exist(store: Store) -> None:
    revision = await store.revision()
    with pytest.raises(FutureRevisionError) as caught:
        await store.range("/", revision=revision + 5)
    assert (caught.value.requested, caught.value.current) == (revision + 5, revision)
    with pytest.raises(FutureRevisionError):
        await store.get("/a", revision=revision + 5)


async def test_a_slow_watcher_misses_nothing(store: Store) -> None:
    base = await store.revision()
    watch = store.watch("/slow/", start_revision=base + 1)
    await put(store, "/slow/0")
    first = await anext(watch)
    for i in range(1, 60):
        await put(store, f"/slow/{i}", b"x" * 1000)
        await put(store, f"/else/{i}")
    rest = await take(watch, 59)
    assert [e.kv.key for e in [*first.events, *rest]] == [f"/slow/{i}" for i in range(60)]
    await watch.aclose()


async def test_a_lease_takes_its_keys_along_when_it_ends(store: Store) -> None:
    lease = await store.lease_grant(1)
    await store.txn([Put("/lost/a", b"", lease=lease), Put("/lost/b", b"", lease=lease), Put("/kept", b"")])
    moved = await store.txn([Put("/moved", b"", lease=lease)])
    await store.txn([Put("/moved", b"now without")])
    kv, revision = await store.get("/lost/a")
    assert kv is not None
    assert kv.lease == lease
    watch = store.watch("/", start_revision=revision + 1)
    events = await take(watch, 2)
    assert [(e.kind, e.kv.key) for e in events] == [(EventKind.DELETE, "/lost/a"), (EventKind.DELETE, "/lost/b")]
    assert len({e.kv.mod_revision for e in events}) == 1
    assert [kv.key for kv in (await store.range("/")).items] == ["/kept", "/moved"]
    assert moved.revision < events[0].kv.mod_revision
    with pytest.raises(LeaseNotFoundError):
        await store.lease_keepalive(lease)
    await watch.aclose()


async def test_a_lease_kept_alive_stays(store: Store) -> None:
    lease = await store.lease_grant(2)
    await store.txn([Put("/a", b"", lease=lease)])
    for _ in range(3):
        await asyncio.sleep(0.8)
        assert await store.lease_keepalive(lease) >= 1
    assert (await store.get("/a"))[0] is not None
    await store.lease_revoke(lease)
    assert (await store.get("/a"))[0] is None
    with pytest.raises(LeaseNotFoundError):
        await store.lease_revoke(lease)


async def test_no_write_with_an_unknown_lease(store: Store) -> None:
    with pytest.raises(LeaseNotFoundError):
        await store.txn([Put("/a", b"", lease=987654321)])
    assert (await store.get("/a"))[0] is None


async def test_snapshot_is_whole_or_not_there(store: Store, tmp_path: Path) -> None:
    for i in range(50):
        await put(store, f"/s/{i}", b"x" * 2000)
    path = tmp_path / "copy.snapshot"
    assert await store.snapshot(path) == await store.revision()
    assert path.stat().st_size > 50 * 2000
    assert not path.with_name("copy.snapshot.partial").exists()
    with pytest.raises((StoreError, OSError)):
        await store.snapshot(tmp_path / "no" / "such" / "directory")


async def test_close_ends_watches_and_refuses_more(store: Store) -> None:
    watch = store.watch("/", start_revision=0, progress=0)
    ended = asyncio.create_task(drain(watch))
    await asyncio.sleep(0.1)
    await store.close()
    async with asyncio.timeout(5):
        assert await ended == []
    with pytest.raises(StoreUnavailable):
        await store.get("/a")
    with pytest.raises(StoreUnavailable):
        await store.txn([Put("/a", b"")])


async def drain(watch: AsyncGenerator[WatchBatch, None]) -> list[WatchBatch]:
    """Everything until the watch ends."""
    return [batch async for batch in watch]


async def test_close_while_calls_are_under_way(store: Store) -> None:
    """Each is answered or refused; none hangs, and none looks like a cancellation."""
    tasks = [asyncio.create_task(store.txn([Put(f"/{i}", b"")])) for i in range(20)]
    tasks_reading = [asyncio.create_task(store.range("/")) for _ in range(20)]
    await asyncio.sleep(0)
    await store.close()
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(*tasks, *tasks_reading, return_exceptions=True)
    assert all(not isinstance(o, BaseException) or isinstance(o, StoreUnavailable) for o in outcomes), outcomes
