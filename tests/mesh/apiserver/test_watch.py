"""Watches: order, selectors, resumption, bookmarks, initial events, slow readers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kybern.apiserver.storage import cacher as cachers
from kybern.apiserver.storage import watcher as watchers
from kybern.client.messages import WatchEvent
from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS, PODS, Resource
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> dict:
    return {"metadata": {"name": name, "namespace": "default", "labels": labels or {}}, "data": data}


async def events(watch: AsyncIterator[list[WatchEvent]], count: int, *, bookmarks: bool = False) -> list[WatchEvent]:
    found: list[WatchEvent] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            found += [event for event in await anext(watch) if bookmarks or event.type != "BOOKMARK"]
    return found


def short(found: list[WatchEvent]) -> list[str]:
    return [f"{event.type} {event.object['metadata'].get('name', '')}".strip() for event in found]


async def now(admin: Client, resource: Resource = CONFIG_MAPS) -> str:
    return (await admin.list(resource, "default")).resource_version


async def test_events_in_order(admin: Client) -> None:
    watch = admin.watch(CONFIG_MAPS, "default", resource_version=await now(admin))
    await admin.create(CONFIG_MAPS, config_map("a", x="1"))
    changed = await admin.patch(CONFIG_MAPS, "a", "default", patch={"data": {"x": "2"}})
    await admin.delete(CONFIG_MAPS, "a", "default")
    found = await events(watch, 3)
    assert short(found) == ["ADDED a", "MODIFIED a", "DELETED a"]
    assert found[1].object == changed
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in found]
    assert versions == sorted(set(versions))
    assert found[2].object["data"] == {"x": "2"}
    await watch.aclose()


async def test_a_watch_without_a_version_starts_with_the_present(admin: Client) -> None:
    await admin.create(CONFIG_MAPS, config_map("a"))
    watch = admin.watch(CONFIG_MAPS, "default")
    assert short(await events(watch, 1)) == ["ADDED a"]
    await admin.create(CONFIG_MAPS, config_map("b"))
    assert short(await events(watch, 1)) == ["ADDED b"]
    await watch.aclose()


async def test_objects_move_in_and_out_of_a_selector(admin: Client) -> None:
    watch = admin.watch(CONFIG_MAPS, "default", label_selector="on=yes", resource_version=await now(admin))
    await admin.create(CONFIG_MAPS, config_map("a"))
    for value, data in (("yes", "1"), ("yes", "2"), ("no", "3"), ("no", "4"), ("yes", "5")):
        patch = {"metadata": {"labels": {"on": value}}, "data": {"x": data}}
        await admin.patch(CONFIG_MAPS, "a", "default", patch=patch)
    found = await events(watch, 4)
    assert short(found) == ["ADDED a", "MODIFIED a", "DELETED a", "ADDED a"]
    assert [event.object["data"]["x"] for event in found] == ["1", "2", "2", "5"]
    assert int(found[2].object["metadata"]["resourceVersion"]) > int(found[1].object["metadata"]["resourceVersion"])
    await watch.aclose()


async def test_field_selectors_pin_a_watch(admin: Client) -> None:
    version = await now(admin, PODS)
    watches = {
        node: admin.watch(PODS, field_selector=f"spec.nodeName={node}", resource_version=version)
        for node in ("n1", "n2")
    }
    by_name = admin.watch(PODS, "default", name="p", resource_version=version)
    for name, node in (("p", "n1"), ("q", "n2")):
        spec = {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}
        await admin.create(PODS, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
    assert short(await events(watches["n1"], 1)) == ["ADDED p"]
    assert short(await events(watches["n2"], 1)) == ["ADDED q"]
    assert short(await events(by_name, 1)) == ["ADDED p"]
    for watch in (*watches.values(), by_name):
        await watch.aclose()


async def test_resuming_loses_and_repeats_nothing(admin: Client) -> None:
    version = await now(admin)
    for n in range(5):
        await admin.create(CONFIG_MAPS, config_map(f"c{n}"))
    watch = admin.watch(CONFIG_MAPS, "default", resource_version=version)
    found = await events(watch, 5)
    await watch.aclose()
    for n in range(5, 8):
        await admin.create(CONFIG_MAPS, config_map(f"c{n}"))
    last = found[-1].object["metadata"]["resourceVersion"]
    watch = admin.watch(CONFIG_MAPS, "default", resource_version=last)
    assert short(await events(watch, 3)) == ["ADDED c5", "ADDED c6", "ADDED c7"]
    await watch.aclose()


async def test_initial_events_end_with_a_bookmark(admin: Client) -> None:
    await admin.create(CONFIG_MAPS, config_map("a"))
    await admin.create(CONFIG_MAPS, config_map("b"))
    watch = admin.watch(
        CONFIG_MAPS, "default", send_initial_events=True, resource_version_match="NotOlderThan", allow_bookmarks=True
    )
    found = await events(watch, 3, bookmarks=True)
    assert short(found) == ["ADDED a", "ADDED b", "BOOKMARK"]
    assert found[2].object["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert found[2].object["kind"] == "ConfigMap"
    await watch.aclose()


async def test_a_watch_ends_with_its_timeout_and_a_bookmark(admin: Client) -> None:
    version = await now(admin)
    found = [
        event
        async for batch in admin.watch(CONFIG_MAPS, timeout_seconds=1, resource_version=version)
        for event in batch
    ]
    assert [event.type for event in found] == ["BOOKMARK"]


async def test_versions_that_are_not_there_yet_or_no_versions(admin: Client, cluster: Any) -> None:
    cluster.server.feed.patience = 0.05
    with pytest.raises(StatusError) as caught:
        await anext(admin.watch(CONFIG_MAPS, "default", resource_version="99999"))
    assert caught.value.code == 504
    assert caught.value.message.startswith("Timeout: Too large resource version: 99999, current: ")
    assert caught.value.details["causes"][0]["reason"] == "ResourceVersionTooLarge"
    with pytest.raises(StatusError) as bad:
        await anext(admin.watch(CONFIG_MAPS, "default", resource_version="x"))
    assert bad.value.code == 400


async def test_the_ring_is_bounded(admin: Client, cluster: Any) -> None:
    version = await now(admin)
    server = cluster.server
    ring = server.table.cacher("", "configmaps")
    ring.limit_ring(4)
    for n in range(6):
        await admin.create(CONFIG_MAPS, config_map(f"c{n}"))
    with pytest.raises(StatusError) as caught:
        await anext(admin.watch(CONFIG_MAPS, "default", resource_version=version))
    assert (caught.value.code, caught.value.reason) == (410, "Expired")
    assert caught.value.message.startswith(f"too old resource version: {version} (")
    assert cachers.RING > 1000


async def test_a_slow_watcher_is_cut_off_and_others_are_not(admin: Client, cluster, monkeypatch) -> None:
    ring = cluster.server.table.cacher("", "configmaps")
    version = int(await now(admin))
    selection = cachers.Selection("default")
    slow = ring.watch(selection, version)
    slow.limit = 3
    fast = ring.watch(selection, version)
    for n in range(5):
        await admin.create(CONFIG_MAPS, config_map(f"c{n}"))
    assert slow.cut_off
    assert await slow.wait(0) == []
    assert len(await fast.wait(0)) == 5
    assert watchers.LIMIT > 1000
    slow.stop()
    fast.stop()


async def test_the_same_bytes_go_to_every_watcher(admin: Client, cluster) -> None:
    ring = cluster.server.table.cacher("", "configmaps")
    version = int(await now(admin))
    two = [ring.watch(cachers.Selection(), version) for _ in range(2)]
    await admin.create(CONFIG_MAPS, config_map("a"))
    (one,), (other,) = [await watcher.wait(1) for watcher in two]
    assert one is other
    for watcher in two:
        watcher.stop()
    assert ring.watchers() == 0


async def test_converted_versions_are_watched_too(admin: Client) -> None:
    events_v1 = Resource("events.k8s.io", "v1", "events", "Event")
    core = Resource("", "v1", "events", "Event")
    watch = admin.watch(events_v1, "default", resource_version=await now(admin, core))
    about = {"kind": "Pod", "name": "p", "namespace": "default"}
    body = {
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": about,
        "message": "hello",
        "reason": "R",
    }
    await admin.create(core, body)
    (event,) = await events(watch, 1)
    assert event.object["apiVersion"] == "events.k8s.io/v1"
    assert event.object["note"] == "hello"
    assert event.object["regarding"]["name"] == "p"
    assert len((await admin.list(core, field_selector="involvedObject.name=p,reason=R")).items) == 1
    assert len((await admin.list(events_v1, field_selector="regarding.name=p")).items) == 1
    await watch.aclose()


async def test_the_trace_context_of_a_write_rides_in_its_event(admin: Client) -> None:
    watch = admin.watch(CONFIG_MAPS, "default", resource_version=await now(admin))
    parent = f"00-{'1' * 32}-{'2' * 16}-01"
    await admin.create(CONFIG_MAPS, config_map("a"), traceparent=parent)
    (event,) = await events(watch, 1)
    assert event.traceparent == parent
    await watch.aclose()


async def test_watches_over_exchange(cluster) -> None:
    from kybern.rpc.exchange.client import ExchangeClient

    async with ExchangeClient(cluster.channel("admin", "system:masters")) as exchange:
        request = pb.WatchRequest(resource=pb.Resource(version="v1", resource="namespaces"))
        stream = exchange.stream(request)
        found: list[pb.WatchEvent] = []
        async for response in stream:
            found += response.events
            if len(found) == 4:
                break
        assert all(event.type == pb.EVENT_TYPE_ADDED for event in found)
