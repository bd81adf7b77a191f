"""Counters and histograms as plain numbers behind a name: what Kubernetes counts seldom, or by few labels.

Counting is a dict lookup and an addition, on the event loop only. Names are given whole: not all of Kubernetes'
counters end in `_total`.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kybern.telemetry.observations import Observations

At = tuple[str, ...]
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # Prometheus' own buckets


class Counts(Collector):
    """One family of counters or gauges. Without labels there is one series, from the start; `start` are others."""

    def __init__(
        self,
        registry: CollectorRegistry | None,
        name: str,
        about: str,
        labels: Sequence[str] = (),
        start: Sequence[At] = (),
        kind: Literal["counter", "gauge"] = "counter",
    ) -> None:
        self._name, self._about, self._labels, self._kind = name, about, tuple(labels), kind
        self.values: dict[At, float] = dict.fromkeys(start if labels else ((),), 0)
        if registry is not None:
            registry.register(self)

    def add(self, *at: str, by: float = 1) -> None:
        """So many more."""
        self.values[at] = self.values.get(at, 0) + by

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterator[Metric]:
        yield counted(self._name, self._about, self._labels, self.values, self._kind)


def counted(name: str, about: str, labels: Sequence[str], values: dict[At, float], kind: str = "counter") -> Metric:
    """A family of plain numbers by the values of its labels."""
    family = Metric(name, about, kind)
    for at, value in list(values.items()):
        family.add_sample(name, dict(zip(labels, at, strict=True)), value)
    return family


class Timings(Collector):
    """One family of histograms. Without labels there is one series, from the start."""

    def __init__(
        self,
        registry: CollectorRegistry | None,
        name: str,
        about: str,
        bounds: Sequence[float] = SECONDS,
        labels: Sequence[str] = (),
    ) -> None:
        self._name, self._about, self._bounds, self._labels = name, about, bounds, tuple(labels)
        self._known: dict[At, Observations] = {} if labels else {(): Observations(bounds)}
        if registry is not None:
            registry.register(self)

    def of(self, *at: str) -> Observations:
        """Where values of these labels go."""
        return self._known.get(at) or self._known.setdefault(at, Observations(self._bounds))

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._about, labels=self._labels)
        for at, known in list(self._known.items()):
            known.add_to(at, family, empty=not at)
        yield family
