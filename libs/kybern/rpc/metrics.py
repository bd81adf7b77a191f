"""Counters and latencies of served calls, as plain numbers that are turned into Prometheus families at scrape time.

`record` costs well under a microsecond and takes no lock: it is called on the event loop only.
"""

from bisect import bisect_left
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class ServerMetrics(Collector):
    """`grpc_server_handled_total` and `grpc_server_handling_seconds` of one process."""

    def __init__(self) -> None:
        self._handled: dict[tuple[str, str], int] = {}
        self._seconds: dict[str, list[float]] = {}  # a count per bucket, one above all, and the sum

    def record(self, method: str, code: str, seconds: float) -> None:
        """One call of `/package.Service/Method` ended with a gRPC code's name."""
        key = (method, code)
        self._handled[key] = self._handled.get(key, 0) + 1
        row = self._seconds.get(method)
        if row is None:
            row = self._seconds[method] = [0.0] * (len(BUCKETS) + 2)
        row[bisect_left(BUCKETS, seconds)] += 1
        row[-1] += seconds

    def collect(self) -> Iterator[Metric]:
        """The families, for a scrape."""
        labels = ["grpc_service", "grpc_method"]
        handled = CounterMetricFamily("grpc_server_handled", "Calls finished, by code.", labels=[*labels, "grpc_code"])
        for (method, code), count in list(self._handled.items()):
            handled.add_metric([*split(method), code], count)
        yield handled
        family = HistogramMetricFamily("grpc_server_handling_seconds", "Time to answer a call.", labels=labels)
        for method, row in list(self._seconds.items()):
            total = 0.0
            buckets: list[tuple[str, float]] = []
            for bound, observed in zip([*map(str, BUCKETS), "+Inf"], row, strict=False):
                total += observed
                buckets.append((bound, total))
            family.add_metric(split(method), buckets, row[-1])
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
