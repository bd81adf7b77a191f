"""The apiserver's metrics, with Kubernetes' names."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kybern.apiserver.passages import Passages
from kybern.telemetry.counted import counted
from kybern.telemetry.series import Series, SeriesTable

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LABELS = ("verb", "group", "resource", "subresource")
WATCH_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0)
BY_RESOURCE = ("group", "resource")
SLOW_WATCHERS = ("apiserver_terminated_watchers_total", "[ALPHA] Watches ended for their slowness.", BY_RESOURCE)
WATCH_LISTS = (
    "apiserver_watch_list_duration_seconds",
    "[BETA] Time until clients that asked for it had what there was.",
    WATCH_SECONDS,
    ("group", "version", "resource", "scope"),
)
NODE_PORTS = ("kube_apiserver_nodeport_allocator_allocation_total", "[ALPHA] Node ports given.", ("scope",))
VERSION, OLDEST = "1.36", "1.35"


class ApiMetrics(Collector):
    """Requests by verb, resource and HTTP status code, and what that says of authentication and authorization.

    Every request that has ended was authenticated unless it was answered with 401, and authorized unless it was
    refused (`refused`): neither is counted on its way.
    """

    def __init__(
        self, registry: CollectorRegistry, refused: Callable[[], int] = int, passages: Passages | None = None
    ) -> None:
        self._series = SeriesTable(BUCKETS, ("OTHER", "", "", ""))
        self._refused = refused
        self._passages = passages
        self._accesses: dict[object, int] = {}
        self.watchers = Gauge(
            "apiserver_longrunning_requests", "Open watches", ("verb", "group", "resource"), registry=registry
        )
        registry.register(self)

    def series(self, verb: str, group: str, resource: str, subresource: str = "") -> Series:
        """Where requests of this shape are counted."""
        return self._series.of((verb, group, resource, subresource))

    def access(self, code: int) -> None:
        """A request has ended that names no resource, or none that there is."""
        self._accesses[code] = self._accesses.get(code, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """The families, for a scrape."""
        total = CounterMetricFamily(
            "apiserver_request", "Requests, by verb, resource and HTTP status code", labels=(*LABELS, "code")
        )
        duration = HistogramMetricFamily("apiserver_request_duration_seconds", "How long requests took", labels=LABELS)
        self._series.add_to(total, duration)
        yield total
        yield duration
        yield from self._attempts()

    def _attempts(self) -> Iterator[Metric]:
        codes = [self._accesses, *(series.codes for _, series in self._series.items())]
        ended, unknown = sum(sum(found.copy().values()) for found in codes), sum(found.get(401, 0) for found in codes)
        known, refused = ended - unknown, self._refused()
        yield _counter("authenticated_user_requests", "Requests by user.", "username", {"other": known})
        results = {"success": known, "error": unknown}
        yield _counter("authentication_attempts", "Authenticated requests.", "result", results)
        if self._passages is not None:
            yield from self._passages.collect(known, unknown, refused)
        results = {"allowed": known - refused, "no-opinion": refused}
        yield _counter("authorization_attempts_total", "Authorized requests.", "result", results)


def _counter(name: str, about: str, label: str, values: dict[str, int]) -> Metric:
    """A counter whose name ends as it likes; what never happened is not shown."""
    family = Metric(name, f"[ALPHA] {about}", "counter")
    for value, count in values.items():
        if count > 0:
            family.add_sample(name, {label: value}, count)
    return family


@cache
def features() -> dict[str, dict[str, list[str]]]:
    """The feature gates of 1.36 by stage, and which are on: they decide which fields the API has."""
    found: dict[str, dict[str, list[str]]] = json.loads(
        files("kybern.apiserver.bootstrap").joinpath("data/features.json").read_text()
    )
    return found


class StateMetrics(Collector):
    """What this apiserver is, and what it has given out: read when it is asked for."""

    def __init__(self, server: "ApiServer") -> None:
        self._server = server

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterator[Metric]:
        gates = GaugeMetricFamily(
            "kubernetes_feature_enabled", "[BETA] Feature gates; 1 for those that are on.", labels=["name", "stage"]
        )
        for stage, named in features().items():
            for name in (*named["on"], *named["off"]):
                gates.add_metric([name, stage], int(name in named["on"]))
        yield gates
        labels = ["binary", "component", "emulation", "min_compat"]
        version = GaugeMetricFamily(
            "version_info", "[ALPHA] Versions that this server is compatible with.", labels=labels
        )
        version.add_metric([f"{VERSION}.0", "kube", VERSION, OLDEST], 1)
        yield version
        yield from self._allocated()
        yield CounterMetricFamily("apiserver_audit_requests_rejected", "[ALPHA] For want of an audit log.", value=0)
        if self._server.audit is None:
            yield CounterMetricFamily("apiserver_audit_event", "[ALPHA] Audit events.", value=0)

    def _allocated(self) -> Iterator[Metric]:
        prefix, addresses, ports = "kube_apiserver_", self._server.addresses, self._server.node_ports
        taken = GaugeMetricFamily(f"{prefix}clusterip_allocator_allocated_ips", "[ALPHA] Taken.", labels=["cidr"])
        free = GaugeMetricFamily(f"{prefix}clusterip_allocator_available_ips", "[ALPHA] Free.", labels=["cidr"])
        for cidr, (used, left) in addresses.usage().items():
            taken.add_metric([cidr], used)
            free.add_metric([cidr], left)
        yield taken
        yield free
        for what, values in (("allocation_total", addresses.given), ("allocation_errors_total", addresses.refused)):
            about, labels = "[ALPHA] Cluster IPs given, or not.", ("cidr", "scope")
            yield counted(f"{prefix}clusterip_allocator_{what}", about, labels, values)
        used = len(ports.taken)
        name = f"{prefix}nodeport_allocator_"
        yield GaugeMetricFamily(f"{name}allocated_ports", "[ALPHA] Node ports taken.", value=used)
        size = ports.high - ports.low + 1
        yield GaugeMetricFamily(f"{name}available_ports", "[ALPHA] Node ports that are free.", value=size - used)
