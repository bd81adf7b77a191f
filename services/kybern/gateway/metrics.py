"""apiserver_request_total and others under Kubernetes' names, counted as plain numbers until a scrape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kybern.telemetry.series import Series, SeriesTable

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 10.0, 30.0, 60.0)


class Labels(NamedTuple):
    """What a request is counted under."""

    verb: str
    group: str
    version: str
    resource: str
    subresource: str
    scope: str


REST = Labels("OTHER", "", "", "", "", "")


class RequestMetrics(Collector):
    """Requests by verb, resource and code; durations without long-running requests, as upstream."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._series = SeriesTable(BUCKETS, REST)
        self.in_flight = 0
        self.long_running = 0
        registry.register(self)

    def series(self, labels: Labels) -> Series:
        """Where requests of these labels are counted."""
        return self._series.of(labels)

    def collect(self) -> Iterator[Metric]:
        names = list(Labels._fields)
        total = CounterMetricFamily("apiserver_request", "Requests answered, by code.", labels=[*names, "code"])
        duration = HistogramMetricFamily("apiserver_request_duration_seconds", "Time to answer.", labels=names)
        self._series.add_to(total, duration)
        yield total
        yield duration
        in_flight = GaugeMetricFamily("apiserver_current_inflight_requests", "Requests under way.")
        in_flight.add_metric([], self.in_flight)
        yield in_flight
        long_running = GaugeMetricFamily("apiserver_longrunning_requests", "Watches and streams under way.")
        long_running.add_metric([], self.long_running)
        yield long_running


def joined(own: bytes, others: bytes) -> bytes:
    """Metrics of two processes as one text: families that both have are shown as the first has them."""
    begin = b"# HELP "
    known = {block.split(b" ", 1)[0] for block in own.split(begin)[1:]}
    more = (block for block in others.split(begin)[1:] if block.split(b" ", 1)[0] not in known)
    return own + b"".join(begin + block for block in more)


class HealthMetrics(Collector):
    """Outcomes of health checks: what /metrics/slis shows. `started` is in seconds since 1970."""

    def __init__(self, started: float) -> None:
        self.registry, self._started = CollectorRegistry(), started
        self._counts: dict[tuple[str, str, str], int] = {}
        self._last: dict[tuple[str, str], bool] = {}
        self.registry.register(self)

    def observe(self, name: str, endpoint: str, good: bool) -> None:
        """Count one check made for an endpoint: healthz, livez or readyz."""
        key = (name, endpoint, "success" if good else "error")
        self._counts[key] = self._counts.get(key, 0) + 1
        self._last[name, endpoint] = good

    def collect(self) -> Iterator[Metric]:
        last = GaugeMetricFamily("kubernetes_healthcheck", "Result of the last check.", labels=["name", "type"])
        for (name, endpoint), good in self._last.items():
            last.add_metric([name, endpoint], int(good))
        yield last
        began = GaugeMetricFamily("process_start_time_seconds", "When the process started, in seconds since 1970.")
        began.add_metric([], self._started)
        yield began
        names = ["name", "type", "status"]
        total = CounterMetricFamily("kubernetes_healthchecks", "Checks made, by result.", labels=names)
        for labels, count in self._counts.items():
            total.add_metric(labels, count)
        yield total
