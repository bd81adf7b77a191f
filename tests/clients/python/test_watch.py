"""Watches of the official Python client: events, resuming, bookmarks, and 410 for what is too old."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from kubernetes import watch
from kubernetes.client import ApiException

from kybern.apiserver.storage.cacher import RING

Watch: Any = watch.Watch
EVENTS = RING + 100  # more than the apiserver remembers of one resource


def config(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


def collect(stream: Any, count: int) -> list[tuple[str, str]]:
    """The first events as (type, name), without those of the cluster itself."""
    found = []
    for event in stream:
        name = event["object"].metadata.name
        if name != "kube-root-ca.crt":
            found.append((event["type"], name))
        if len(found) == count:
            return found
    return found


def test_resume(core: Any, namespace: str) -> None:
    since = core.create_namespaced_config_map(namespace, config("a")).metadata.resource_version
    core.patch_namespaced_config_map("a", namespace, {"data": {"x": "1"}})
    core.create_namespaced_config_map(namespace, config("b"))
    core.delete_namespaced_config_map("a", namespace)
    stream = Watch().stream(core.list_namespaced_config_map, namespace, resource_version=since, timeout_seconds=10)
    assert collect(stream, 3) == [("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a")]


def test_what_happens_meanwhile(core: Any, namespace: str) -> None:
    listed = core.list_namespaced_config_map(namespace)
    watcher = Watch()
    timer = threading.Timer(0.2, core.create_namespaced_config_map, (namespace, config("later", x="1")))
    timer.start()
    stream = watcher.stream(
        core.list_namespaced_config_map,
        namespace,
        label_selector="x",
        resource_version=listed.metadata.resource_version,
        timeout_seconds=10,
    )
    assert collect(stream, 1) == [("ADDED", "later")]
    timer.join()


def test_labels_decide_what_is_seen(core: Any, namespace: str) -> None:
    since = core.create_namespaced_config_map(namespace, config("a", x="1")).metadata.resource_version
    core.patch_namespaced_config_map("a", namespace, {"metadata": {"labels": {"x": "2"}}})
    core.patch_namespaced_config_map("a", namespace, {"metadata": {"labels": {"x": "1"}}})
    stream = Watch().stream(
        core.list_namespaced_config_map,
        namespace,
        label_selector="x=1",
        resource_version=since,
        timeout_seconds=10,
    )
    assert collect(stream, 2) == [("DELETED", "a"), ("ADDED", "a")]


def test_the_state_first(core: Any, namespace: str) -> None:
    for name in ("a", "b"):
        core.create_namespaced_config_map(namespace, config(name, x="1"))
    stream = Watch().stream(core.list_namespaced_config_map, namespace, label_selector="x", timeout_seconds=10)
    assert collect(stream, 2) == [("ADDED", "a"), ("ADDED", "b")]


def test_a_timeout_ends_the_stream(core: Any, namespace: str) -> None:
    stream = core.list_namespaced_config_map(
        namespace, watch=True, label_selector="none", timeout_seconds=1, _preload_content=False
    )
    assert stream.read() == b""


def test_initial_events_end_with_a_bookmark(core: Any, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config("a", x="1"))
    stream = core.list_namespaced_config_map(
        namespace,
        watch=True,
        label_selector="x",
        send_initial_events=True,
        allow_watch_bookmarks=True,
        resource_version_match="NotOlderThan",
        timeout_seconds=1,
        _preload_content=False,
    )
    lines = stream.read().splitlines()
    assert b'"ADDED"' in lines[0]
    assert b'"k8s.io/initial-events-end":"true"' in lines[1]


def test_too_old_a_version(core: Any, namespace: str) -> None:
    since = core.list_namespaced_config_map(namespace).metadata.resource_version
    pool_manager, host = core.api_client.rest_client.pool_manager, core.api_client.configuration.host

    def create(number: int) -> int:
        url = f"{host}/api/v1/namespaces/{namespace}/configmaps"
        headers = {"Content-Type": "application/json"}
        return int(pool_manager.request("POST", url, body=json.dumps(config(f"c{number}")), headers=headers).status)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(create, range(EVENTS // 2))) == {201}
    core.delete_collection_namespaced_config_map(namespace)
    stream = Watch().stream(core.list_namespaced_config_map, namespace, resource_version=since, timeout_seconds=2)
    with pytest.raises(ApiException) as caught:
        next(iter(stream))
    assert caught.value.status == 410
    assert str(caught.value.reason).startswith("Expired: too old resource version: ")
