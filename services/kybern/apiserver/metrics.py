"""The apiserver's metrics, with Kubernetes' names."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class ApiMetrics:
    """Children are looked up once per label set: `labels()` costs more than a read of an object."""

    def __init__(self, registry: CollectorRegistry) -> None:
        names = ("verb", "group", "resource", "subresource", "code")
        self._requests = Counter(
            "apiserver_request_total", "Requests, by verb, resource and HTTP status code", names, registry=registry
        )
        self._durations = Histogram(
            "apiserver_request_duration_seconds",
            "How long requests took",
            ("verb", "group", "resource", "subresource"),
            buckets=BUCKETS,
            registry=registry,
        )
        self.watchers = Gauge(
            "apiserver_longrunning_requests", "Open watches", ("verb", "group", "resource"), registry=registry
        )
        self._counts: dict[tuple[str, ...], Counter] = {}
        self._times: dict[tuple[str, ...], Histogram] = {}

    def record(self, verb: str, group: str, resource: str, subresource: str, code: int, seconds: float) -> None:
        """One answered request."""
        shape = (verb, group, resource, subresource, str(code))
        counter = self._counts.get(shape)
        if counter is None:
            counter = self._counts[shape] = self._requests.labels(*shape)
            self._times[shape] = self._durations.labels(*shape[:4])
        counter.inc()
        self._times[shape].observe(seconds)
