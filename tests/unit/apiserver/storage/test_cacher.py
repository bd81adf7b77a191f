"""The cache and its watches against deliberately dumb models."""

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.apiserver.storage.cacher import Cacher
from kybern.apiserver.storage.selection import Selection
from kybern.kube import field_selectors, selectors
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import EventType
from kybern.store.contract import Event, EventKind, KeyValue

PREFIX = "/registry/pods/"
Change = tuple[str, str | None, str]  # key, label (None: delete), node
KEYS = st.sampled_from(["a/p", "a/q", "a-b/p", "b/p"])
CHANGES = st.lists(st.tuples(KEYS, st.sampled_from([None, "x", "y"]), st.sampled_from(["", "n1", "n2"])), max_size=25)
SELECTIONS = st.sampled_from(
    [
        Selection(),
        Selection("a"),
        Selection("a", "p"),
        Selection(labels=selectors.parse("l=x")),
        Selection("a", labels=selectors.parse("l!=x")),
        Selection(fields=field_selectors.parse("spec.nodeName=n1")),
        Selection(fields=field_selectors.parse("spec.nodeName=n1,metadata.namespace=b")),
        Selection(fields=field_selectors.parse("spec.nodeName!=n1")),
    ]
)


def make() -> Cacher:
    cacher = Cacher("", "pods", "Pod", "v1", True, PREFIX)
    cacher.loaded(0)
    return cacher


def obj(key: str, label: str, node: str) -> dict[str, Any]:
    namespace, name = key.split("/")
    metadata = {"name": name, "namespace": namespace, "labels": {"l": label}}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"nodeName": node}}


def apply(cacher: Cacher, revision: int, change: Change) -> None:
    key, label, node = change
    if label is None:
        event = Event(EventKind.DELETE, KeyValue(PREFIX + key, b"", 0, revision, 0))
    else:
        value = orjson.dumps(obj(key, label, node))
        event = Event(EventKind.PUT, KeyValue(PREFIX + key, value, revision, revision, 1))
    cacher.apply(event, None, "")


def matches(selection: Selection, state: dict[str, Any]) -> bool:
    meta = state["metadata"]
    fields = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "spec.nodeName": state["spec"]["nodeName"],
    }
    return (
        selection.namespace in ("", meta["namespace"])
        and selection.name in ("", meta["name"])
        and selection.labels.matches(meta["labels"])
        and selection.fields.matches(fields)
    )


@given(CHANGES, SELECTIONS)
def test_lists(changes: list[Change], selection: Selection) -> None:
    cacher, model = make(), {}
    for revision, change in enumerate(changes, 1):
        apply(cacher, revision, change)
        key, label, node = change
        model.pop(key, None)
        if label is not None:
            model[key] = obj(key, label, node)
        expected = [key for key in sorted(model) if matches(selection, model[key])]
        assert [entry.key for entry in cacher.select(selection)] == expected
        for after in expected:
            rest = [entry.key for entry in cacher.select(selection, after)]
            assert rest == [key for key in expected if key > after]
        if selection.plain:
            assert cacher.count(selection.namespace, "") == len(expected)


@given(CHANGES, SELECTIONS, st.integers(0, 25))
def test_replaying_a_watch_gives_the_list(changes: list[Change], selection: Selection, start: int) -> None:
    async def run() -> None:
        cacher = make()
        start_at = min(start, len(changes))
        seen: dict[str, Any] = {}
        for revision, change in enumerate(changes[:start_at], 1):
            apply(cacher, revision, change)
        seen = {entry.key: entry.decode() for entry in cacher.select(selection)}
        live = cacher.watch(selection, start_at)
        for revision, change in enumerate(changes[start_at:], start_at + 1):
            apply(cacher, revision, change)
        resumed = cacher.watch(selection, start_at)
        events = await live.wait(0)
        assert [(e.type, e.object) for e in events] == [(e.type, e.object) for e in await resumed.wait(0)]
        last = start_at
        for event in events:
            state = orjson.loads(event.object)
            meta = state["metadata"]
            key = f"{meta['namespace']}/{meta['name']}"
            assert int(meta["resourceVersion"]) > last
            last = int(meta["resourceVersion"])
            if event.type == EventType.EVENT_TYPE_DELETED:
                assert key in seen
                del seen[key]
            else:
                assert (key in seen) == (event.type == EventType.EVENT_TYPE_MODIFIED)
                seen[key] = state
        assert seen == {entry.key: entry.decode() for entry in cacher.select(selection)}
        live.stop()
        resumed.stop()
        assert cacher.watchers() == 0

    asyncio.run(run())


def test_a_watch_from_before_the_ring_is_refused() -> None:
    cacher = make()
    cacher.limit_ring(2)
    for revision in range(1, 6):
        apply(cacher, revision, ("a/p", "x", ""))
    with pytest.raises(StatusError) as caught:
        cacher.watch(Selection(), 2)
    assert caught.value.reason == "Expired"
    assert len(cacher._since(3)) == 2
