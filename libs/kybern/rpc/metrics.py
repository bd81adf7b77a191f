"""Calls that a process has answered: how many by code, and how long they took."""

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kybern.telemetry.series import Series

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class ServerMetrics(Collector):
    """`grpc_server_handled_total` and `grpc_server_handling_seconds` of one process."""

    def __init__(self) -> None:
        self._methods: dict[str, Series] = {}

    def series(self, method: str) -> Series:
        """The numbers of `/package.Service/Method`; its codes are gRPC's names."""
        found = self._methods.get(method)
        if found is None:
            found = self._methods[method] = Series(BUCKETS)
        return found

    def record(self, method: str, code: str, seconds: float) -> None:
        """One call ended."""
        self.series(method).record(code, seconds)

    def collect(self) -> Iterator[Metric]:
        """The families, for a scrape."""
        labels = ["grpc_service", "grpc_method"]
        handled = CounterMetricFamily("grpc_server_handled", "Calls finished, by code.", labels=[*labels, "grpc_code"])
        family = HistogramMetricFamily("grpc_server_handling_seconds", "Time to answer a call.", labels=labels)
        for method, series in list(self._methods.items()):
            series.add_to(split(method), handled, family)
        yield handled
        yield family


def split(method: str) -> list[str]:
    """`/package.Service/Method` as [service, method]."""
    service, _, name = method.strip("/").rpartition("/")
    return [service, name]


_collectors: "WeakKeyDictionary[CollectorRegistry, ServerMetrics]" = WeakKeyDictionary()


def server_metrics(registry: CollectorRegistry) -> ServerMetrics:
    """The collector in this registry, shared by all servers of one service."""
    metrics = _collectors.get(registry)
    if metrics is None:
        metrics = _collectors[registry] = ServerMetrics()
        registry.register(metrics)
    return metrics
