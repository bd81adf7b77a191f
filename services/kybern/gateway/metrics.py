"""apiserver_request_total and others under Kubernetes' names, counted as plain numbers until a scrape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kybern.gateway.core.router import ResourcePath
from kybern.gateway.core.version import VERSION
from kybern.telemetry.series import Series, SeriesTable

BUILD = {
    "major": VERSION["major"],
    "minor": VERSION["minor"],
    "git_version": VERSION["gitVersion"],
    "git_commit": VERSION["gitCommit"],
    "git_tree_state": VERSION["gitTreeState"],
    "build_date": VERSION["buildDate"],
    "go_version": VERSION["goVersion"],
    "compiler": VERSION["compiler"],
    "platform": VERSION["platform"],
}
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 10.0, 30.0, 60.0)


VERBS = {"create": "POST", "update": "PUT", "deletecollection": "DELETE"}  # others are their own names
MUTATING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Labels(NamedTuple):
    """What a request is counted under."""

    verb: str
    group: str
    version: str
    resource: str
    subresource: str
    scope: str
    dry_run: str = ""
    component: str = "apiserver"


REST = Labels("OTHER", "", "", "", "", "")


def labels_of(path: ResourcePath, verb: str, *, connects: bool = False) -> Labels:
    """The labels of a request for a resource; `connects`: it becomes a stream, or goes on to another server."""
    scope = "resource" if path.name or verb == "create" else "namespace" if path.namespace else "cluster"
    shown = "CONNECT" if connects and path.subresource != "log" else VERBS.get(verb) or verb.upper()
    return Labels(shown, path.group, path.version, path.resource, path.subresource, scope)


class RequestMetrics(Collector):
    """Requests by verb, resource and code; durations without long-running requests, as upstream."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._series = SeriesTable(BUCKETS, REST)
        self.in_flight = {"mutating": 0, "readOnly": 0}
        self._long_running: dict[Labels, int] = {}
        registry.register(self)
        ProcessCollector(registry=registry)

    def series(self, labels: Labels) -> Series:
        """Where requests of these labels are counted."""
        return self._series.of(labels)

    @contextmanager
    def flying(self, method: str) -> Iterator[None]:
        """A request is under way."""
        kind = "mutating" if method in MUTATING else "readOnly"
        self.in_flight[kind] += 1
        try:
            yield
        finally:
            self.in_flight[kind] -= 1

    @contextmanager
    def lasting(self, method: str, labels: Labels) -> Iterator[None]:
        """A watch or stream is under way, and does not count as in flight."""
        kind = "mutating" if method in MUTATING else "readOnly"
        self.in_flight[kind] -= 1
        self._long_running[labels] = self._long_running.get(labels, 0) + 1
        try:
            yield
        finally:
            self.in_flight[kind] += 1
            left = self._long_running.pop(labels) - 1
            if left:
                self._long_running[labels] = left

    def collect(self) -> Iterator[Metric]:
        names = list(Labels._fields)
        total = CounterMetricFamily("apiserver_request", "Requests answered, by code.", labels=[*names, "code"])
        duration = HistogramMetricFamily("apiserver_request_duration_seconds", "Time to answer.", labels=names)
        self._series.add_to(total, duration)
        yield total
        yield duration
        yield _without_dry_runs(duration)
        in_flight = GaugeMetricFamily(
            "apiserver_current_inflight_requests", "Requests under way.", labels=["request_kind"]
        )
        for kind, count in self.in_flight.items():
            in_flight.add_metric([kind], count)
        yield in_flight
        names = [name for name in names if name != "dry_run"]
        lasting = GaugeMetricFamily("apiserver_longrunning_requests", "Watches and streams under way.", labels=names)
        for labels, count in list(self._long_running.items()):
            lasting.add_metric([getattr(labels, name) for name in names], count)
        yield lasting
        build = GaugeMetricFamily("kubernetes_build_info", "What is running.", labels=list(BUILD))
        build.add_metric(list(BUILD.values()), 1)
        yield build


def _without_dry_runs(duration: Metric) -> Metric:
    """The same times under the name that objectives for the service level use."""
    about = "Time to answer; what webhooks and queues took is in it."
    found = Metric("apiserver_request_sli_duration_seconds", about, "histogram")
    for sample in duration.samples:
        if not sample.labels["dry_run"]:
            labels = {name: value for name, value in sample.labels.items() if name != "dry_run"}
            found.add_sample(sample.name.replace("request_duration", "request_sli_duration"), labels, sample.value)
    return found


def joined(own: bytes, others: bytes) -> bytes:
    """Metrics of two processes as one text: families that both have are shown as the first has them."""
    begin = b"# HELP "
    known = {block.split(b" ", 1)[0] for block in own.split(begin)[1:]}
    more = (block for block in others.split(begin)[1:] if block.split(b" ", 1)[0] not in known)
    return own + b"".join(begin + block for block in more)


class HealthMetrics(Collector):
    """Outcomes of health checks: what /metrics/slis shows. `started` is in seconds since 1970."""

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
        last = GaugeMetricFamily("kubernetes_healthcheck", "Result of the last check.", labels=["name", "type"])
        for (name, endpoint), good in self._last.items():
            last.add_metric([name, endpoint], int(good))
        yield last
        began = GaugeMetricFamily("process_start_time_seconds", "When the process started, in seconds since 1970.")
        began.add_metric([], self._started)
        yield began
        names = ["name", "type", "status"]
        total = CounterMetricFamily("kubernetes_healthchecks", "Checks made, by result.", labels=names)
        for labels, count in self._counts.items():
            total.add_metric(labels, count)
        yield total
