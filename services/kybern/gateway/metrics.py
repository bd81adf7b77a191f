"""apiserver_request_total and others under Kubernetes' names, counted as plain numbers until a scrape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kybern.gateway.core.deprecations import DEPRECATED
from kybern.gateway.core.router import ResourcePath
from kybern.gateway.core.version import VERSION
from kybern.telemetry.counted import Counts, counted
from kybern.telemetry.observations import Observations
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
BUCKETS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0,
           30.0, 45.0, 60.0)  # fmt: skip
FINEST = frozenset(map(str, BUCKETS[:2]))  # that objectives do without
BODY_SIZES = tuple(50_000.0 + 100_000.0 * i for i in range(31))
EVENT_SIZES = tuple(1024.0 * 2**i for i in range(8))


VERBS = {"create": "POST", "update": "PUT", "deletecollection": "DELETE"}  # others are their own names
MUTATING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
LASTING = frozenset({"WATCH", "CONNECT"})  # which no objective is about
ANSWERED = ("GET", "LIST", "WATCH")  # whose answers are measured
INSECURE = "[ALPHA] Logs by whether the node's certificate had to be good; it always has to be."
LOGS_FAILED = "[ALPHA] Logs of nodes whose certificate was not good; such a node is not reached at all."
MOST = 1000  # sets of labels
ROOTS = ("/healthz", "/livez", "/readyz")


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
    shown = "CONNECT" if connects else VERBS.get(verb) or verb.upper() or "OTHER"
    return Labels(shown, path.group, path.version, path.resource, path.subresource, scope)


def other_labels(method: str, path: str) -> Labels | None:
    """The labels of a request for a path that is no resource: health and OpenAPI alone are counted."""
    counted = path if path in ROOTS else ""
    if not counted and path.startswith("/openapi/v3"):
        counted = "openapi/v3" if path.strip("/") == "openapi/v3" else "openapi/v3/"
    return Labels(method, "", "", "", counted, "", component="") if counted else None


class Sizes:
    """How large bodies and events are, by what they are about."""

    def __init__(self) -> None:
        self.bodies: dict[tuple[str, str, str], Observations] = {}
        self.events: dict[tuple[str, str, str], Observations] = {}

    def of_bodies(self, path: ResourcePath, verb: str) -> Observations:
        """Of a write's bodies."""
        at = (path.group, path.resource, "delete_collection" if verb == "deletecollection" else verb)
        return self.bodies.get(at) or self.bodies.setdefault(at, Observations(BODY_SIZES))

    def of_events(self, path: ResourcePath) -> Observations:
        """Of what watches of a resource are told."""
        at = (path.group, path.resource, path.version)
        return self.events.get(at) or self.events.setdefault(at, Observations(EVENT_SIZES))

    def collect(self) -> Iterator[Metric]:
        about = "[ALPHA] Size of the bodies of writes."
        bodies = HistogramMetricFamily("apiserver_request_body_size_bytes", about, labels=["group", "resource", "verb"])
        for labels, sizes in list(self.bodies.items()):
            sizes.add_to(labels, bodies)
        yield bodies
        names = ["group", "resource", "version"]
        told = HistogramMetricFamily("apiserver_watch_events_sizes", "[ALPHA] Size of events.", labels=names)
        total = CounterMetricFamily(
            "apiserver_watch_events", "[ALPHA] Events sent to clients that watch.", labels=names
        )
        for labels, sizes in list(self.events.items()):
            sizes.add_to(labels, told)
            total.add_metric(labels, sum(sizes.now()[0]))
        yield told
        yield total


class RequestMetrics(Collector):
    """Requests by verb, resource and code; how long they took, and how large they were."""

    def __init__(self, registry: CollectorRegistry, sizes: Sizes) -> None:
        self._series = SeriesTable(BUCKETS, REST)
        self._sizes = sizes
        self.in_flight = {"mutating": 0, "readOnly": 0}
        self._long_running: dict[Labels, int] = {}
        self._terminations: dict[tuple[str, ...], float] = {}
        self.validations = {""}  # values of fieldValidation
        self.logs = Counts(registry, "kube_apiserver_pod_logs_insecure_backend_total", INSECURE, ("usage",))
        Counts(registry, "kube_apiserver_pod_logs_backend_tls_failure_total", LOGS_FAILED)
        registry.register(self)
        ProcessCollector(registry=registry)

    def series(self, labels: Labels) -> Series:
        """Where requests of these labels are counted."""
        return self._series.of(labels)

    def terminated(self, labels: Labels, code: int) -> None:
        """One more that the server has ended."""
        at = (*labels[:6], labels.component, str(code))
        if at in self._terminations or len(self._terminations) < MOST:
            self._terminations[at] = self._terminations.get(at, 0) + 1

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
            self._long_running[labels] -= 1

    def collect(self) -> Iterator[Metric]:
        names = list(Labels._fields)
        total = CounterMetricFamily(
            "apiserver_request", "[STABLE] Requests answered, by code.", labels=[*names, "code"]
        )
        about = "[STABLE] Time to answer, in seconds."
        duration = HistogramMetricFamily("apiserver_request_duration_seconds", about, labels=names)
        self._series.add_to(total, duration)
        yield total
        yield duration
        yield _of_objectives(duration)
        yield self._answers()
        yield self._deprecated()
        yield from self._sizes.collect()
        in_flight = GaugeMetricFamily(
            "apiserver_current_inflight_requests", "[STABLE] Requests under way.", labels=["request_kind"]
        )
        for kind, count in self.in_flight.items():
            in_flight.add_metric([kind], count)
        yield in_flight
        names = [name for name in names if name != "dry_run"]
        about = "[STABLE] Watches and streams under way."
        lasting = GaugeMetricFamily("apiserver_longrunning_requests", about, labels=names)
        for labels, count in list(self._long_running.items()):
            lasting.add_metric([getattr(labels, name) for name in names], count)
        yield lasting
        build = GaugeMetricFamily("kubernetes_build_info", "[BETA] What is running.", labels=list(BUILD))
        build.add_metric(list(BUILD.values()), 1)
        yield build
        names = [*Labels._fields[:6], "component", "code"]
        about = "[ALPHA] Requests that the server has ended to protect itself."
        yield counted("apiserver_request_terminations_total", about, names, self._terminations)
        yield self._validated()

    def _validated(self) -> Metric:
        """Which kinds of validation were asked for: Kubernetes notes them, and no times."""
        about, labels = "[ALPHA] Kinds of field validation that were asked for.", ["field_validation"]
        family = HistogramMetricFamily("field_validation_request_duration_seconds", about, labels=labels)
        nothing = [(str(bound), 0.0) for bound in (*BUCKETS[2:], "+Inf")]
        for value in sorted(self.validations):
            family.add_metric([value], nothing, 0.0)
        return family

    def _answers(self) -> Metric:
        """How large answers to reads are."""
        names = [name for name in Labels._fields if name != "dry_run"]
        family = HistogramMetricFamily("apiserver_response_sizes", "[STABLE] Size of answers in bytes.", labels=names)
        for labels, series in self._series.items():
            if labels.verb in ANSWERED:
                series.sizes.add_to([getattr(labels, name) for name in names], family)
        return family

    def _deprecated(self) -> Metric:
        """What was asked for although it is deprecated."""
        names, about = ["group", "version", "resource", "subresource"], "[STABLE] Deprecated APIs that were requested."
        family = GaugeMetricFamily("apiserver_requested_deprecated_apis", about, labels=[*names, "removed_release"])
        asked = {labels[1:5] for labels, _ in self._series.items() if labels[1:4] in DEPRECATED}
        for at in sorted(asked):
            family.add_metric([*at, ""], 1)
        return family


def _of_objectives(duration: Metric) -> Metric:
    """The same times under the name that objectives for the service level use: nothing dry, nothing that lasts."""
    about = "[ALPHA] Time to answer, in seconds; what webhooks and queues took is in it."
    found = Metric("apiserver_request_sli_duration_seconds", about, "histogram")
    for sample in duration.samples:
        labels = dict(sample.labels)
        if labels.pop("dry_run") or labels["verb"] in LASTING or not labels["component"] or labels.get("le") in FINEST:
            continue
        found.add_sample(sample.name.replace("request_duration", "request_sli_duration"), labels, sample.value)
    return found
