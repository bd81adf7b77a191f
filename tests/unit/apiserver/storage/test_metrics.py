"""What is read from the caches and of the store's transactions for a scrape."""

from pathlib import Path

import orjson
import pytest
from prometheus_client import CollectorRegistry

from kybern.apiserver.storage.cacher import Cacher
from kybern.apiserver.storage.metrics import StorageMetrics, StoreCalls, operation_of
from kybern.store.contract import ABSENT, Check, Delete, Event, EventKind, KeyValue, Put, Write

OPERATIONS = [
    (Put("k", b"", ABSENT), "create"),
    (Put("k", b"", 7), "update"),
    (Put("k", b""), "update"),
    (Delete("k", 7), "delete"),
    (Check("k", 7), "get"),
]


@pytest.mark.parametrize(("write", "wanted"), OPERATIONS, ids=[f"{row[0]!r}" for row in OPERATIONS])
def test_operations(write: Write, wanted: str) -> None:
    assert operation_of(write) == wanted


def leases() -> Cacher:
    group = "coordination.k8s.io"
    return Cacher(group, "leases", "Lease", f"{group}/v1", True, "/registry/leases/")


def test_transactions() -> None:
    calls, registry = StoreCalls(), CollectorRegistry()
    registry.register(calls)
    calls.record([Put("k", b"", ABSENT), Check("l", 1)], leases(), 0.03)
    calls.record([Put("k", b"", ABSENT)], leases(), 1.0, failed=True)
    calls.record([Put("k", b"", ABSENT)], None, 1.0)
    at = {"operation": "create", "group": "coordination.k8s.io", "resource": "leases"}
    value = registry.get_sample_value
    assert value("etcd_requests_total", at) == 2, "what is no object is not counted"
    assert value("etcd_request_errors_total", at) == 1
    assert value("etcd_request_duration_seconds_sum", at) == 1.03
    assert value("etcd_request_duration_seconds_bucket", {**at, "le": "0.05"}) == 1


def test_caches(tmp_path: Path) -> None:
    cacher, file, registry = leases(), tmp_path / "kybern.db", CollectorRegistry()
    file.write_bytes(b"12345")
    registry.register(StorageMetrics({("coordination.k8s.io", "leases"): cacher}, file))
    cacher.loaded(5)
    for name in ("a", "b"):
        obj = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name, "namespace": "n"}}
        kv = KeyValue(f"/registry/leases/n/{name}", orjson.dumps(obj), 9, 9, 1)
        cacher.apply(Event(EventKind.PUT, kv), None, "")
    at = {"group": "coordination.k8s.io", "resource": "leases"}
    value = registry.get_sample_value
    assert value("apiserver_storage_objects", {"resource": "leases.coordination.k8s.io"}) == 2
    assert value("apiserver_resource_objects", at) == 2
    size = sum(len(entry.data) for entry in cacher.entries.values())
    assert value("apiserver_resource_size_estimate_bytes", at) == size
    assert value("apiserver_watch_cache_events_received_total", at) == 2
    assert value("apiserver_storage_events_received_total", at) == 2
    assert value("apiserver_watch_cache_initializations_total", at) == 1
    assert value("apiserver_watch_cache_resource_version", at) == 9
    assert value("watch_cache_capacity", at) == cacher.capacity > 0
    assert value("apiserver_storage_size_bytes", {"storage_cluster_id": "kybern.db"}) == 5
