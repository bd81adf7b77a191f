"""What is stored and cached, and how long writes to the store take: read from the caches when it is asked for.

Writes alone are calls of the store: reads are answered by the caches. The names are Kubernetes' also where the store is
SQLite.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kybern.apiserver.storage.cacher import Cacher
from kybern.store.contract import ABSENT, Check, Put, Write
from kybern.telemetry.observations import Observations

BUCKETS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0,
           30.0, 45.0, 60.0)  # fmt: skip
LOOKED_AT = 100  # objects of a resource that its size is estimated from
BY_RESOURCE = ["group", "resource"]


class StoreCalls(Collector):
    """etcd_requests_total and others: transactions by operation and resource."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Observations] = {}
        self._errors: dict[tuple[str, str, str], int] = {}

    def record(self, writes: Sequence[Write], cacher: Cacher | None, seconds: float, *, failed: bool = False) -> None:
        """One transaction; it is known by its first write, which is of an object in this cache."""
        if cacher is None:
            return
        at = (operation_of(writes[0]), cacher.group, cacher.resource)
        known = self._known.get(at) or self._known.setdefault(at, Observations(BUCKETS))
        known.observe(seconds)
        if failed:
            self._errors[at] = self._errors.get(at, 0) + 1

    def collect(self) -> Iterator[Metric]:
        labels = ["operation", *BY_RESOURCE]
        seconds = HistogramMetricFamily(
            "etcd_request_duration_seconds", "[ALPHA] Time that the store took, in seconds.", labels=labels
        )
        total = CounterMetricFamily("etcd_requests", "[ALPHA] Requests to the store.", labels=labels)
        for at, known in list(self._known.items()):
            known.add_to(at, seconds)
            total.add_metric(at, sum(known.now()[0]))
        yield seconds
        yield total
        errors = CounterMetricFamily("etcd_request_errors", "[ALPHA] Requests that failed.", labels=labels)
        for at, count in list(self._errors.items()):
            errors.add_metric(at, count)
        yield errors


def operation_of(write: Write) -> str:
    """As upstream names what is done with a key."""
    if isinstance(write, Put):
        return "create" if write.expected == ABSENT else "update"
    return "get" if isinstance(write, Check) else "delete"


class StorageMetrics(Collector):
    """How many objects of each resource there are, how large they are, and what its cache has seen."""

    def __init__(self, cachers: Mapping[tuple[str, str], Cacher], file: Path | None = None) -> None:
        self._cachers, self._file = cachers, file

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterator[Metric]:
        cachers = sorted(self._cachers.items())
        about = "[STABLE] Objects in storage."
        stored = GaugeMetricFamily("apiserver_storage_objects", about, labels=["resource"])
        for (group, resource), cacher in cachers:
            stored.add_metric([f"{resource}.{group}" if group else resource], len(cacher.entries))
        yield stored
        gauges: dict[str, tuple[str, Callable[[Cacher], float]]] = {
            "apiserver_resource_objects": ("[ALPHA] Objects in storage.", lambda cacher: len(cacher.entries)),
            "apiserver_resource_size_estimate_bytes": ("[ALPHA] Size of stored objects, estimated.", _size),
            "watch_cache_capacity": ("[ALPHA] Events that the watch cache keeps.", lambda cacher: cacher.capacity),
            "apiserver_watch_cache_resource_version": ("[ALPHA] Newest change.", lambda cacher: cacher.changed),
        }
        for name, (about, read) in gauges.items():
            gauge = GaugeMetricFamily(name, about, labels=BY_RESOURCE)
            for at, cacher in cachers:
                gauge.add_metric(at, read(cacher))
            yield gauge
        yield from _events(cachers)
        yield from _lists(cachers)
        size = GaugeMetricFamily(
            "apiserver_storage_size_bytes", "[STABLE] Size of the database file.", labels=["storage_cluster_id"]
        )
        if self._file is not None and self._file.exists():
            size.add_metric([self._file.name], self._file.stat().st_size)
        yield size


def _lists(cachers: Sequence[tuple[tuple[str, str], Cacher]]) -> Iterator[Metric]:
    """Lists from the caches; lists of the store are made to fill them. No index is used but that of keys."""
    counters: dict[str, tuple[str, Callable[[Cacher], float], bool]] = {
        "cache_list": ("Lists from the cache.", lambda cacher: cacher.lists.lists, True),
        "cache_list_fetched_objects": ("Objects that they looked at.", lambda cacher: cacher.lists.fetched, True),
        "cache_list_returned_objects": ("Objects that they showed.", lambda cacher: cacher.lists.returned, False),
        "init_events": ("Objects that watches began with.", lambda cacher: cacher.lists.initial, False),
        "storage_list": ("Lists of the store.", lambda cacher: cacher.loads, False),
        "storage_list_fetched_objects": ("Objects that they read.", lambda cacher: cacher.lists.loaded, False),
        "storage_list_evaluated_objects": ("Objects that they looked at.", lambda cacher: 0, False),
        "storage_list_returned_objects": ("Objects that they showed.", lambda cacher: cacher.lists.loaded, False),
    }
    for name, (about, read, indexed) in counters.items():
        labels = [*BY_RESOURCE, "index"] if indexed else BY_RESOURCE
        counter = CounterMetricFamily(f"apiserver_{name}", f"[ALPHA] {about}", labels=labels)
        for at, cacher in cachers:
            if name.startswith("storage") or cacher.lists.lists or (name == "init_events" and cacher.lists.initial):
                counter.add_metric([*at, ""] if indexed else at, read(cacher))
        yield counter
    fresh = CounterMetricFamily(
        "apiserver_watch_cache_consistent_read",
        "[ALPHA] Lists that show every acknowledged write.",
        labels=[*BY_RESOURCE, "success", "fallback"],
    )
    for at, cacher in cachers:
        if cacher.lists.fresh:
            fresh.add_metric([*at, "true", "false"], cacher.lists.fresh)
    yield fresh


def _events(cachers: Sequence[tuple[tuple[str, str], Cacher]]) -> Iterator[Metric]:
    counters = {
        "apiserver_storage_events_received": "[BETA] Events received from the store.",
        "apiserver_watch_cache_events_received": "[ALPHA] Events received by the watch cache.",
        "apiserver_watch_cache_events_dispatched": "[ALPHA] Events that the watch cache has passed on.",
    }
    for name, about in counters.items():
        counter = CounterMetricFamily(name, about, labels=BY_RESOURCE)
        for at, cacher in cachers:
            if cacher.published:
                counter.add_metric(at, cacher.published)
        yield counter
    loads = CounterMetricFamily(
        "apiserver_watch_cache_initializations", "[ALPHA] Times that the watch cache was filled.", labels=BY_RESOURCE
    )
    for at, cacher in cachers:
        loads.add_metric(at, cacher.loads)
    yield loads


def _size(cacher: Cacher) -> float:
    """From the first objects of a resource; asked beside the loop, which may change them meanwhile."""
    try:
        sizes = [len(entry.data) for entry in islice(cacher.entries.values(), LOOKED_AT)]
    except RuntimeError:
        return 0.0
    return sum(sizes) / len(sizes) * len(cacher.entries) if sizes else 0.0
