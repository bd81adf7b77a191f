"""Outcomes of health checks: what /metrics/slis shows."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class HealthMetrics(Collector):
    """How often each check was made, and how it went last. `started` is in seconds since 1970."""

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
        last = GaugeMetricFamily(
            "kubernetes_healthcheck", "[STABLE] Result of the last check.", labels=["name", "type"]
        )
        for (name, endpoint), good in list(self._last.items()):
            last.add_metric([name, endpoint], int(good))
        yield last
        began = GaugeMetricFamily("process_start_time_seconds", "When the process started, in seconds since 1970.")
        began.add_metric([], self._started)
        yield began
        names = ["name", "type", "status"]
        total = CounterMetricFamily("kubernetes_healthchecks", "[STABLE] Checks made, by result.", labels=names)
        for labels, count in list(self._counts.items()):
            total.add_metric(labels, count)
        yield total
