"""The apiserver's metrics, with Kubernetes' names."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kybern.apiserver.storage.cacher import Cacher
from kybern.telemetry.series import Series, SeriesTable

BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LABELS = ("verb", "group", "resource", "subresource")


class ApiMetrics(Collector):
    """Requests by verb, resource and HTTP status code."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._series = SeriesTable(BUCKETS, ("OTHER", "", "", ""))
        self.watchers = Gauge(
            "apiserver_longrunning_requests", "Open watches", ("verb", "group", "resource"), registry=registry
        )
        registry.register(self)

    def series(self, verb: str, group: str, resource: str, subresource: str = "") -> Series:
        """Where requests of this shape are counted."""
        return self._series.of((verb, group, resource, subresource))

    def collect(self) -> Iterator[Metric]:
        """The families, for a scrape."""
        total = CounterMetricFamily(
            "apiserver_request", "Requests, by verb, resource and HTTP status code", labels=(*LABELS, "code")
        )
        duration = HistogramMetricFamily("apiserver_request_duration_seconds", "How long requests took", labels=LABELS)
        self._series.add_to(total, duration)
        yield total
        yield duration


class StorageMetrics(Collector):
    """How many objects there are of each resource: counted when it is asked."""

    def __init__(self, registry: CollectorRegistry, cachers: Mapping[tuple[str, str], Cacher]) -> None:
        self._cachers = cachers
        registry.register(self)

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterator[Metric]:
        stored = GaugeMetricFamily("apiserver_storage_objects", "Objects in storage", labels=["resource"])
        known = GaugeMetricFamily("apiserver_resource_objects", "Objects in storage", labels=["group", "resource"])
        for (group, resource), cacher in list(self._cachers.items()):
            stored.add_metric([f"{resource}.{group}" if group else resource], len(cacher.entries))
            known.add_metric([group, resource], len(cacher.entries))
        yield stored
        yield known
