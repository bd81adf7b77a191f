"""apiserver_request_total and _duration_seconds under Kubernetes' names, counted as plain numbers until a scrape."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 10.0, 30.0, 60.0)


class Labels(NamedTuple):
    """What a request is counted under."""

    verb: str
    group: str
    version: str
    resource: str
    subresource: str
    scope: str


class RequestMetrics(Collector):
    """Requests by verb, resource and code; durations without long-running requests, as upstream."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._totals: dict[tuple[Labels, int], int] = {}
        self._seconds: dict[Labels, list[float]] = {}
        self.in_flight = 0
        self.long_running = 0
        registry.register(self)

    def record(self, labels: Labels, code: int, seconds: float, *, long_running: bool = False) -> None:
        key = (labels, code)
        self._totals[key] = self._totals.get(key, 0) + 1
        if long_running:
            return
        row = self._seconds.get(labels)
        if row is None:
            row = self._seconds[labels] = [0.0] * (len(BUCKETS) + 2)
        row[bisect_left(BUCKETS, seconds)] += 1
        row[-1] += seconds

    def collect(self) -> Iterator[Metric]:
        names = list(Labels._fields)
        total = CounterMetricFamily("apiserver_request", "Requests answered, by code.", labels=[*names, "code"])
        for (labels, code), count in list(self._totals.items()):
            total.add_metric([*labels, str(code)], count)
        yield total
        duration = HistogramMetricFamily("apiserver_request_duration_seconds", "Time to answer.", labels=names)
        for labels, row in list(self._seconds.items()):
            above, buckets = 0.0, []
            for bound, number in zip((*map(str, BUCKETS), "+Inf"), row, strict=False):
                above += number
                buckets.append((bound, above))
            duration.add_metric(list(labels), buckets, row[-1])
        yield duration
        in_flight = GaugeMetricFamily("apiserver_current_inflight_requests", "Requests under way.")
        in_flight.add_metric([], self.in_flight)
        yield in_flight
        long_running = GaugeMetricFamily("apiserver_longrunning_requests", "Watches and streams under way.")
        long_running.add_metric([], self.long_running)
        yield long_running
