"""How long requests take to pass the first layers: authentication, priority and fairness, authorization.

A call takes the time of each layer once, whatever it waits for meanwhile: it begins again after each wait, and what it
has passed it has passed. Most GETs go a shorter way and are not timed; the number of all is known from how they ended,
so at a scrape the others are counted among the fastest, which they are.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, Metric

from kybern.rpc.exchange.context import CallContext
from kybern.telemetry.observations import Observations

ATTEMPTS = tuple(0.001 * 2**i for i in range(15))
FILTERS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 5.0, 10.0, 15.0, 30.0)
BOTH = tuple(sorted({*ATTEMPTS, *FILTERS}))
NAMES = ("authentication", "priorityandfairness", "authorization")


class Passages:
    """`begin` before the first layer, `passed` behind each."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._seconds = tuple(Observations(BOTH) for _ in NAMES)

    def begin(self, call: CallContext) -> None:
        """The call enters the first layer, if it has not before."""
        if not call.entered:
            call.entered = self._time()

    def passed(self, call: CallContext, layer: int) -> None:
        """It has passed a layer, by its place in NAMES, if it has not before."""
        if call.passed == layer:
            now = self._time()
            self._seconds[layer].observe(now - call.entered)
            call.entered, call.passed = now, layer + 1

    def collect(self, known: int, unknown: int, refused: int) -> Iterator[Metric]:
        """Families of a scrape: so many calls had a user, had none, and were refused for want of rights."""
        attempts = {"authentication": {"success": known, "error": unknown},
                    "authorization": {"allowed": known - refused, "no-opinion": refused}}  # fmt: skip
        about = "[ALPHA] Time that {} took, in seconds."
        for layer, results in attempts.items():
            family = HistogramMetricFamily(f"{layer}_duration_seconds", about.format(layer), labels=["result"])
            counts, total = self._seconds[NAMES.index(layer)].now()
            for result, count in results.items():
                if result in ("success", "allowed"):
                    _add(family, result, ATTEMPTS, counts, total, count - sum(counts))
                elif count:
                    _add(family, result, ATTEMPTS, [0] * len(counts), 0.0, count)
            yield family
        filters = HistogramMetricFamily(
            "apiserver_request_filter_duration_seconds", about.format("each layer"), labels=["filter"]
        )
        for layer, seconds in zip(NAMES, self._seconds, strict=True):
            counts, total = seconds.now()
            _add(filters, layer, FILTERS, counts, total, known - sum(counts))
        yield filters


def _add(
    family: HistogramMetricFamily, label: str, bounds: Sequence[float], counts: list[int], total: float, fast: int
) -> None:
    """Counts by the bounds of both, told by others; `fast`: so many more that took no time."""
    found = [0] * (len(bounds) + 1)
    found[0] = max(0, fast)
    for bound, count in zip(BOTH, counts, strict=False):
        found[bisect_left(bounds, bound)] += count
    found[-1] += counts[-1]
    if any(found):
        names = [*map(str, bounds), "+Inf"]
        family.add_metric([label], list(zip(names, accumulate(found), strict=True)), total)
