"""The embedded store against a deliberately dumb model that keeps a full copy of the state of every revision."""

import asyncio
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from kybern.store.contract import Check, Delete, Event, EventKind, KeyValue, Put, Write, check_writes, events_of
from kybern.store.errors import CompactedError
from kybern.store.sqlite import SqliteStore, index

State = dict[str, KeyValue]


class Model:
    """All states, by revision."""

    def __init__(self) -> None:
        self.states: dict[int, State] = {1: {}}
        self.events: list[Event] = []

    @property
    def revision(self) -> int:
        """The newest."""
        return max(self.states)

    def txn(self, writes: list[Write]) -> bool:
        """Apply; whether the comparisons held."""
        state = dict(self.states[self.revision])
        for write in writes:
            found = state[write.key].mod_revision if write.key in state else 0
            if write.expected is not None and write.expected != found:
                return False
        revision = self.revision + 1
        changed = False
        for write in writes:
            old = state.get(write.key)
            if isinstance(write, Put):
                created = old.create_revision if old else revision
                version = old.version + 1 if old else 1
                state[write.key] = KeyValue(write.key, write.value, created, revision, version)
                self.events.append(Event(EventKind.PUT, state[write.key], old))
                changed = True
            elif isinstance(write, Delete) and old:
                del state[write.key]
                self.events.append(Event(EventKind.DELETE, KeyValue(write.key, b"", 0, revision, 0), old))
                changed = True
        if changed:
            self.states[revision] = state
        return True

    def keys(self, prefix: str, after: str, revision: int) -> list[KeyValue]:
        """Sorted, filtered."""
        state = self.states[revision]
        return [state[key] for key in sorted(state) if key.startswith(prefix) and (key > after or not after)]


KEYS = st.sampled_from(["a", "a/b", "a/c", "b", "b\U0010ffff", "é", "\U0010ffff", "\U0010ffff1", "\ud7ff", "\ud7ffx"])
EXPECTED = st.one_of(st.none(), st.none(), st.integers(0, 6))
WRITES = st.one_of(
    st.builds(Put, KEYS, st.binary(max_size=3), EXPECTED),
    st.builds(Delete, KEYS, EXPECTED),
    st.builds(Check, KEYS, st.integers(0, 12)),
)
TXNS = st.lists(WRITES, min_size=1, max_size=4, unique_by=lambda write: write.key)


@settings(max_examples=400, deadline=None)
@given(
    txns=st.lists(TXNS, max_size=12),
    prefix=st.sampled_from(["", "a", "a/", "b", "\U0010ffff", "\ud7ff", "z"]),
    after=st.one_of(st.just(""), KEYS),
    limit=st.integers(0, 4),
    compact=st.integers(0, 12),
    cache=st.sampled_from([0, 1 << 20]),
    remembered=st.integers(0, 6),
)
def test_as_the_model(
    txns: list[list[Write]], prefix: str, after: str, limit: int, compact: int, cache: int, remembered: int
) -> None:
    with patch.object(index, "REMEMBERED", remembered):
        asyncio.run(_compare(txns, prefix, after, limit, compact, cache))


async def _compare(txns: list[list[Write]], prefix: str, after: str, limit: int, compact: int, cache: int) -> None:
    model = Model()
    store = await SqliteStore.open(":memory:", threaded=False, cache_bytes=cache)
    reported: list[Event] = []
    for writes in txns:
        check_writes(writes)
        before = model.states[model.revision]
        succeeded = model.txn(writes)
        result = await store.txn(writes)
        assert result.succeeded == succeeded
        assert result.current == [before.get(write.key) for write in writes]
        assert await store.revision() == result.revision == model.revision
        reported += events_of(writes, result)
    assert reported == model.events
    await _compare_watch(store, prefix, [e for e in model.events if e.kv.key.startswith(prefix)], model.revision)
    compacted = 1 + compact % model.revision
    await store.compact(compacted)
    for revision in model.states:
        if revision < compacted:
            try:
                await store.range(prefix, revision=revision)
                raise AssertionError("a compacted revision was read")
            except CompactedError:
                continue
        page = await store.range(prefix, start_after=after, limit=limit, revision=revision)
        matching = model.keys(prefix, after, revision)
        assert page.items == (matching[:limit] if limit else matching)
        assert (page.count, page.more) == (len(matching), bool(limit) and len(matching) > limit)
    await store.close()


async def _compare_watch(store: SqliteStore, prefix: str, expected: list[Event], revision: int) -> None:
    seen: list[Event] = []
    watch = store.watch(prefix, start_revision=1, progress=0.001)
    async for batch in watch:
        seen += batch.events
        if batch.revision >= revision:
            break
    await watch.aclose()
    assert seen == expected
