"""apiserver_flowcontrol_*: read from the gate when it is scraped, so that counting costs next to nothing."""

from collections.abc import Iterable
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kybern.apiserver.flowcontrol.flows import BUCKETS, Times
from kybern.apiserver.flowcontrol.gate import FlowControl

PREFIX = "apiserver_flowcontrol_"
BY_FLOW = ("priority_level", "flow_schema")


class FlowMetrics(Collector):
    """Kubernetes' names."""

    def __init__(self, flow: FlowControl) -> None:
        self._flow = flow

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        yield from self._levels()
        yield from self._series()

    def _levels(self) -> Iterable[Metric]:
        rows = {
            "nominal_limit_seats": "Nominal concurrency limit",
            "lower_limit_seats": "Lower bound of the concurrency limit",
            "upper_limit_seats": "Upper bound of the concurrency limit",
            "current_limit_seats": "Concurrency limit until the next adjustment",
            "current_executing_seats": "Seats in use",
            "demand_seats_smoothed": "Smoothed demand",
            "demand_seats_high_watermark": "Highest demand of the last period",
            "demand_seats_average": "Mean demand of the last period",
            "demand_seats_stdev": "Standard deviation of the last period's demand",
        }
        for name, about in rows.items():
            family = GaugeMetricFamily(PREFIX + name, about, labels=("priority_level",))
            for state in self._flow.levels.values():
                values = {
                    "nominal_limit_seats": state.limits.nominal,
                    "lower_limit_seats": state.limits.minimum,
                    "upper_limit_seats": state.limits.maximum,
                    "current_limit_seats": state.queues.limit,
                    "current_executing_seats": state.queues.in_use,
                    "demand_seats_smoothed": state.demand.smooth,
                    "demand_seats_high_watermark": state.demand.high,
                    "demand_seats_average": state.demand.mean,
                    "demand_seats_stdev": state.demand.deviation,
                }
                family.add_metric((state.name,), values[name])
            yield family

        pressure = GaugeMetricFamily(
            "kybern_flowcontrol_seat_share", "Share of their seats that workload levels may use at this moment"
        )
        pressure.add_metric((), self._flow.share)
        yield pressure

    def _series(self) -> Iterable[Metric]:
        dispatched = CounterMetricFamily(PREFIX + "dispatched_requests", "Requests let through", labels=BY_FLOW)
        rejected = CounterMetricFamily(PREFIX + "rejected_requests", "Refused requests", labels=(*BY_FLOW, "reason"))
        waiting = GaugeMetricFamily(PREFIX + "current_inqueue_requests", "Requests in queues", labels=BY_FLOW)
        waited = HistogramMetricFamily(
            PREFIX + "request_wait_duration_seconds", "Time in queues", labels=(*BY_FLOW, "execute")
        )
        executed = HistogramMetricFamily(
            PREFIX + "request_execution_seconds", "Time from first look to answer", labels=(*BY_FLOW, "type")
        )
        for series in self._flow.series.values():
            labels = (series.level, series.schema)
            dispatched.add_metric(labels, series.dispatched)
            waiting.add_metric(labels, series.waiting)
            for why, count in series.rejected.items():
                rejected.add_metric((*labels, why.value), count)
            _add(waited, (*labels, "true"), series.waited)
            _add(executed, (*labels, "regular"), series.executed)
        yield from (dispatched, rejected, waiting, waited, executed)


def _add(family: HistogramMetricFamily, labels: tuple[str, ...], times: Times) -> None:
    bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
    family.add_metric(labels, list(zip(bounds, accumulate(times.counts), strict=True)), times.total)
