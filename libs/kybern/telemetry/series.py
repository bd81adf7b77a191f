"""Counts, latencies and sizes as plain numbers, turned into Prometheus families at scrape time.

`record` takes a fifth of a microsecond and no lock: call it on the event loop only.
"""

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from kybern.telemetry.observations import AT_ONCE, Observations

MOST = 10_000  # sets of labels
SIZES = (1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)  # bytes
Labels = TypeVar("Labels", bound=tuple[str, ...])


class Series:
    """The numbers of one set of labels; a handler may keep it to count without looking it up."""

    __slots__ = ("codes", "seconds", "sizes")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.codes: dict[object, int] = {}
        self.seconds = Observations(bounds)
        self.sizes = Observations(SIZES)

    def record(self, code: object, seconds: float, size: int = -1, *, timed: bool = True) -> None:
        """One more with this code; long-running requests are not timed, as upstream. `size`: bytes answered."""
        self.codes[code] = self.codes.get(code, 0) + 1
        if timed:
            waiting = self.seconds.kept[2]
            waiting.append(seconds)
            if len(waiting) >= AT_ONCE:
                self.seconds.settle()
        if size >= 0:
            waiting = self.sizes.kept[2]
            waiting.append(size)
            if len(waiting) >= AT_ONCE:
                self.sizes.settle()

    def add_to(self, labels: Iterable[str], total: CounterMetricFamily, duration: HistogramMetricFamily) -> None:
        """Add a sample per code, and the buckets if anything was timed."""
        names = list(labels)
        for code, count in list(self.codes.items()):
            total.add_metric([*names, str(code)], count)
        self.seconds.add_to(names, duration)


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

    def items(self) -> list[tuple[Labels, Series]]:
        """All of them, at this moment."""
        return [*self._known.items(), self._rest]

    def add_to(self, total: CounterMetricFamily, duration: HistogramMetricFamily) -> None:
        """Add all of them to the families of a scrape."""
        for labels, series in self.items():
            series.add_to(labels, total, duration)
