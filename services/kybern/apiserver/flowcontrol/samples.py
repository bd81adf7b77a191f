"""How full a priority level is over time: histograms whose counts are nanoseconds, looked at twice a second.

Kubernetes' families are of this kind: their count grows by a thousand million each second, and the increase of the sum
over that of the count is a mean over time. Kubernetes integrates; here the value of a moment stands for the time since
the moment before, which costs requests nothing.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily

DEMAND = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.7, 2.0, 2.8, 4.0, 6.0)
REQUESTS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 1.0)
SEATS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


class OverTime:
    """A ratio, and for how many nanoseconds it was about so large."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float, nanoseconds: int) -> None:
        self.counts[bisect_left(self.bounds, value)] += nanoseconds
        self.total += value * nanoseconds

    def add_to(self, labels: Sequence[str], family: HistogramMetricFamily) -> None:
        """Add the buckets."""
        bounds = [*map(str, self.bounds), "+Inf"]
        family.add_metric(labels, list(zip(bounds, accumulate(self.counts), strict=True)), self.total)


class LevelSamples:
    """Of one level: what it wants of its nominal seats, what is waiting and executing of what may, seats in use."""

    def __init__(self) -> None:
        self.demand = OverTime(DEMAND)
        self.waiting, self.executing = OverTime(REQUESTS), OverTime(REQUESTS)
        self.seats = OverTime(SEATS)
