"""apiserver_flowcontrol_*: read from the gate when it is scraped, so that counting costs next to nothing.

What is known of the requests that had to wait, or wanted more than one seat, is counted as it happens; the others all
had no wait, one seat and a queue to themselves, and their number is known.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kybern.apiserver.flowcontrol.flows import BUCKETS, LENGTHS, LevelState, Series, Times
from kybern.apiserver.flowcontrol.gate import FlowControl
from kybern.apiserver.flowcontrol.samples import OverTime

PREFIX = "apiserver_flowcontrol_"
BY_FLOW = ("priority_level", "flow_schema")
WIDTHS = (1, 2, 4, 8, 16, 32, 64, 100)  # seats
LEVELS: dict[str, tuple[str, Callable[[LevelState], float]]] = {
    "nominal_limit_seats": ("[BETA] Nominal concurrency limit", lambda state: state.limits.nominal),
    "lower_limit_seats": ("[ALPHA] Lower bound of the concurrency limit", lambda state: state.limits.minimum),
    "upper_limit_seats": ("[ALPHA] Upper bound of the concurrency limit", lambda state: state.limits.maximum),
    "current_limit_seats": ("[ALPHA] Concurrency limit until the next adjustment", lambda state: state.queues.limit),
    "target_seats": ("[ALPHA] What adjustments aim at", lambda state: state.target),
    "demand_seats_smoothed": ("[ALPHA] Smoothed demand", lambda state: state.demand.smooth),
    "demand_seats_high_watermark": ("[ALPHA] Highest demand of the last period", lambda state: state.demand.high),
    "demand_seats_average": ("[ALPHA] Mean demand of the last period", lambda state: state.demand.mean),
    "demand_seats_stdev": ("[ALPHA] Standard deviation of that demand", lambda state: state.demand.deviation),
    "current_r": ("[ALPHA] Virtual time", lambda state: state.queues.r),
}


class FlowMetrics(Collector):
    """Kubernetes' names."""

    def __init__(self, flow: FlowControl) -> None:
        self._flow = flow

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        levels = list(self._flow.levels.values())
        for name, (about, read) in LEVELS.items():
            family = GaugeMetricFamily(PREFIX + name, about, labels=("priority_level",))
            for state in levels:
                family.add_metric((state.name,), read(state))
            yield family
        yield GaugeMetricFamily(
            f"{PREFIX}seat_fair_frac", "[ALPHA] Part of their aims that levels get", value=self._flow.fraction
        )
        about = "Share of their seats that workload levels may use at this moment"
        yield GaugeMetricFamily("kybern_flowcontrol_seat_share", about, value=self._flow.share)
        yield from _virtual_times(levels)
        yield from _over_time(levels)
        yield from self._counters()
        yield from self._histograms()

    @property
    def _all(self) -> list[Series]:
        return list(self._flow.series.values())

    def _exempt(self, series: Series) -> bool:
        state = self._flow.levels.get(series.level)
        return state is not None and state.level.exempt

    def _counters(self) -> Iterator[Metric]:
        queued = Counter[tuple[str, str]]()
        for held in list(self._flow.held):
            if held.item is not None and held.item.started < 0:
                queued[held.flow.series.level, held.flow.series.schema] += held.width
        dispatched = CounterMetricFamily(PREFIX + "dispatched_requests", "[BETA] Requests let through", labels=BY_FLOW)
        rejected = CounterMetricFamily(
            PREFIX + "rejected_requests", "[BETA] Refused requests", labels=(*BY_FLOW, "reason")
        )
        waiting, waiting_seats, executing, seats = (
            GaugeMetricFamily(PREFIX + name, about, labels=BY_FLOW)
            for name, about in (
                ("current_inqueue_requests", "[BETA] Requests in queues"),
                ("current_inqueue_seats", "[ALPHA] Seats that requests in queues want"),
                ("current_executing_requests", "[BETA] Requests with seats"),
                ("current_executing_seats", "[BETA] Seats in use"),
            )
        )
        for series in self._all:
            labels = (series.level, series.schema)
            running = series.executing
            dispatched.add_metric(labels, series.dispatched + series.at_once)
            executing.add_metric(labels, running)
            seats.add_metric(labels, max(0, running + series.more))
            if not self._exempt(series):
                waiting.add_metric(labels, series.waiting)
                waiting_seats.add_metric(labels, queued[labels])
            for why, count in list(series.rejected.items()):
                rejected.add_metric((*labels, why.value), count)
        yield from (dispatched, rejected, waiting, waiting_seats, executing, seats)

    def _histograms(self) -> Iterator[Metric]:
        waited, executed, lengths, watchers, widths = (
            HistogramMetricFamily(PREFIX + name, about, labels=(*BY_FLOW, *more))
            for name, about, more in (
                ("request_wait_duration_seconds", "[BETA] Time in queues", ("execute",)),
                ("request_execution_seconds", "[ALPHA] Time from first look to answer", ("type",)),
                ("request_queue_length_after_enqueue", "[ALPHA] Requests in the queue of one that has joined it", ()),
                ("watch_count_samples", "[ALPHA] Watchers of what is written", ()),
                ("work_estimated_seats", "[ALPHA] Seats that requests want", ()),
            )
        )
        for series in self._all:
            labels = (series.level, series.schema)
            through = series.dispatched + series.at_once
            _add(executed, (*labels, "regular"), series.executed, series.at_once)
            _add(executed, (*labels, "watch"), series.watched)
            _add_widths(widths, labels, series, through)
            series.watchers.add_to(labels, watchers)
            if not self._exempt(series):
                directly = through - series.waited.count
                _add(waited, (*labels, "true"), series.waited, directly)
                _add(waited, (*labels, "false"), series.late)
                _add_lengths(lengths, labels, series, directly)
        yield from (waited, executed, lengths, watchers, widths)


def _virtual_times(levels: Iterable[LevelState]) -> Iterator[Metric]:
    """As of the last request that left a queue in which it had to wait."""
    r = GaugeMetricFamily(f"{PREFIX}dispatch_r", "[ALPHA] Virtual time of it", labels=("priority_level",))
    latest = GaugeMetricFamily(f"{PREFIX}latest_s", "[ALPHA] Its own virtual start", labels=("priority_level",))
    bounds = ("priority_level", "bound")
    heads = GaugeMetricFamily(f"{PREFIX}next_s_bounds", "[ALPHA] Virtual starts of heads of queues", labels=bounds)
    about = "[ALPHA] The same less what runs"
    discounted = GaugeMetricFamily(f"{PREFIX}next_discounted_s_bounds", about, labels=bounds)
    for state in levels:
        last, name = state.queues.last, state.name
        if last is None:
            if not state.queues.queues:
                continue
            r.add_metric((name,), 0)
            latest.add_metric((name,), 0)
        else:
            r.add_metric((name,), last.r)
            latest.add_metric((name,), last.start)
        for family, found in ((heads, last and last.heads), (discounted, last and last.discounted)):
            for bound, value in zip(("min", "max"), found or (0.0, 0.0), strict=True):
                family.add_metric((name, bound), value)
    yield from (r, latest, heads, discounted)


def _over_time(levels: Iterable[LevelState]) -> Iterator[Metric]:
    demand = HistogramMetricFamily(
        f"{PREFIX}demand_seats", "Seats wanted, by nominal ones, over time", labels=("priority_level",)
    )
    phases = ("priority_level", "phase")
    requests = HistogramMetricFamily(
        f"{PREFIX}priority_level_request_utilization", "Requests, by room for them, over time", labels=phases
    )
    seats = HistogramMetricFamily(
        f"{PREFIX}priority_level_seat_utilization", "Seats in use, by the limit, over time", labels=phases
    )

    def add(family: HistogramMetricFamily, found: OverTime, *labels: str) -> None:
        found.add_to(labels, family)

    for state in levels:
        add(demand, state.sampled.demand, state.name)
        add(requests, state.sampled.waiting, state.name, "waiting")
        add(requests, state.sampled.executing, state.name, "executing")
        add(seats, state.sampled.seats, state.name, "executing")
    yield from (demand, requests, seats)


def _add(family: HistogramMetricFamily, labels: tuple[str, ...], times: Times, at_once: int = 0) -> None:
    """`at_once`: so many more that took no time."""
    counts = [times.counts[0] + at_once, *times.counts[1:]]
    _buckets(family, labels, BUCKETS, counts, times.total)


def _add_lengths(family: HistogramMetricFamily, labels: tuple[str, ...], series: Series, directly: int) -> None:
    """Who needed not wait was alone in its queue."""
    counts, total = series.lengths.now()
    _buckets(family, labels, LENGTHS, [counts[0], counts[1] + directly, *counts[2:]], total + directly)


def _add_widths(family: HistogramMetricFamily, labels: tuple[str, ...], series: Series, through: int) -> None:
    wide = dict(series.widths)
    narrow = through - sum(wide.values())
    counts = [0] * (len(WIDTHS) + 1)
    for width, count in ((1, narrow), *wide.items()):
        counts[next((at for at, bound in enumerate(WIDTHS) if width <= bound), len(WIDTHS))] += count
    total = narrow + sum(width * count for width, count in wide.items())
    _buckets(family, labels, WIDTHS, counts, total)


def _buckets(
    family: HistogramMetricFamily, labels: tuple[str, ...], bounds: Iterable[float], counts: list[int], total: float
) -> None:
    """None if there is nothing in them."""
    if any(counts):
        names = [*map(str, bounds), "+Inf"]
        family.add_metric(labels, list(zip(names, accumulate(counts), strict=True)), total)
