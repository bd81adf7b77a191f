"""Counts and latencies as plain numbers, turned into Prometheus families at scrape time.

`record` costs half a microsecond and takes no lock: call it on the event loop only.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

MOST = 10_000  # sets of labels
Labels = TypeVar("Labels", bound=tuple[str, ...])


class Series:
    """The numbers of one set of labels; a handler may keep it to count without looking it up."""

    __slots__ = ("bounds", "codes", "seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.codes: dict[object, int] = {}
        self.seconds = [0.0] * (len(bounds) + 2)  # a count per bucket, one above all, and the sum

    def record(self, code: object, seconds: float, *, timed: bool = True) -> None:
        """One more with this code; long-running requests are not timed, as upstream."""
        self.codes[code] = self.codes.get(code, 0) + 1
        if timed:
            row = self.seconds
            row[bisect_left(self.bounds, seconds)] += 1
            row[-1] += seconds

    def add_to(self, labels: Iterable[str], total: CounterMetricFamily, duration: HistogramMetricFamily) -> None:
        """Add a sample per code, and the buckets if anything was timed."""
        names = list(labels)
        for code, count in list(self.codes.items()):
            total.add_metric([*names, str(code)], count)
        above, buckets = 0.0, []
        for bound, number in zip((*map(str, self.bounds), "+Inf"), self.seconds, strict=False):
            above += number
            buckets.append((bound, above))
        if above:
            duration.add_metric(names, buckets, self.seconds[-1])


class SeriesTable(Generic[Labels]):
    """Series by labels, `most` of them: clients may make labels up, and what comes then is counted under `rest`."""

    def __init__(self, bounds: Sequence[float], rest: Labels, most: int = MOST) -> None:
        self._bounds, self._most = bounds, most
        self._rest = (rest, Series(bounds))
        self._known: dict[Labels, Series] = {}

    def of(self, labels: Labels) -> Series:
        """Where requests of these labels are counted."""
        found = self._known.get(labels)
        if found is None:
            if len(self._known) >= self._most:
                return self._rest[1]
            found = self._known[labels] = Series(self._bounds)
        return found

    def add_to(self, total: CounterMetricFamily, duration: HistogramMetricFamily) -> None:
        """Add all of them to the families of a scrape."""
        for labels, series in [*self._known.items(), self._rest]:
            series.add_to(labels, total, duration)
