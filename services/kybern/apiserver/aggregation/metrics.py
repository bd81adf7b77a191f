"""Availability of APIServices as upstream's metrics have it."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kybern.apiserver.core.api_services import Said

NAME = "aggregator_unavailable_apiservice"  # of the gauge; the counter's ends in _total


class AvailabilityMetrics(Collector):
    """0 or 1 for each APIService, and how often it became unavailable, by reason."""

    def __init__(self, registry: CollectorRegistry, names: Callable[[], Iterable[str]] = tuple) -> None:
        self._names = names  # of all APIServices: those of local group versions are always available
        self._reasons: dict[str, str] = {}  # "" while it is available
        self._times: dict[tuple[str, str], int] = {}
        registry.register(self)

    def record(self, name: str, said: Said) -> None:
        """What was said of one."""
        reason = "" if said.status else said.reason
        if reason and self._reasons.get(name) != reason:
            self._times[name, reason] = self._times.get((name, reason), 0) + 1
        self._reasons[name] = reason

    def forget(self, name: str) -> None:
        """It has gone."""
        self._reasons.pop(name, None)

    def collect(self) -> Iterator[Metric]:
        down = GaugeMetricFamily(NAME, "[ALPHA] APIServices that are marked as unavailable.", labels=["name"])
        for name, reason in sorted((dict.fromkeys(self._names(), "") | self._reasons).items()):
            down.add_metric([name], 1 if reason else 0)
        yield down
        times = CounterMetricFamily(
            NAME, "[ALPHA] How often APIServices became unavailable.", labels=["name", "reason"]
        )
        for labels, count in sorted(self._times.items()):
            times.add_metric(list(labels), count)
        yield times
