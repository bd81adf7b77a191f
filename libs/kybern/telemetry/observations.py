"""Histograms that cost next to nothing to feed: values are put aside, and counted into buckets hundreds at a time.

Feed them on the event loop only; a scrape may read from any thread.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily

AT_ONCE = 512  # values put aside before they are counted


class Observations:
    """The values of one set of labels. `waiting` is where they are put aside; who appends there asks for `settle`."""

    __slots__ = ("bounds", "kept")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        # Counts by bucket, the sum, and what is not in them yet: together, so that a scrape sees all of one moment.
        self.kept: tuple[list[int], float, list[float]] = ([0] * (len(bounds) + 1), 0.0, [])

    def observe(self, value: float) -> None:
        """One more."""
        waiting = self.kept[2]
        waiting.append(value)
        if len(waiting) >= AT_ONCE:
            self.settle()

    def observe_all(self, values: Iterable[float]) -> None:
        """Several more."""
        waiting = self.kept[2]
        waiting.extend(values)
        if len(waiting) >= AT_ONCE:
            self.settle()

    def settle(self) -> None:
        """Count what was put aside."""
        self.kept = (*self.now(), [])

    def now(self) -> tuple[list[int], float]:
        """How many values there are in each bucket and above all of them, and their sum."""
        counts, total, waiting = self.kept
        values, counts, below = sorted(waiting), counts[:], 0
        for i, bound in enumerate(self.bounds):
            if below == len(values):
                break
            upto = bisect_right(values, bound, below)
            counts[i] += upto - below
            below = upto
        counts[-1] += len(values) - below
        return counts, total + sum(values)

    def add_to(self, labels: Sequence[str], family: HistogramMetricFamily, *, empty: bool = False) -> None:
        """Add the buckets, if there is anything in them; `empty`: even if not."""
        counts, total = self.now()
        if empty or any(counts):
            bounds = [*map(str, self.bounds), "+Inf"]
            family.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), total)
