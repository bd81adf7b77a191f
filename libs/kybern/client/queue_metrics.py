"""The `workqueue_*` metrics, under Kubernetes' names, for every queue of a process."""

import asyncio
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10)


class QueueMetrics:
    """The metric families of one registry; each queue is a label value of them."""

    _families: "WeakKeyDictionary[CollectorRegistry, QueueMetrics]" = WeakKeyDictionary()

    def __init__(self, registry: CollectorRegistry) -> None:
        label = ["name"]
        self.adds = Counter("workqueue_adds", "Keys added to the queue", label, registry=registry)
        self.depth = Gauge("workqueue_depth", "Keys that wait in the queue", label, registry=registry)
        self.retries = Counter("workqueue_retries", "Keys that came back after a failure", label, registry=registry)
        self.queue_duration = Histogram(
            "workqueue_queue_duration_seconds", "Time a key waited", label, registry=registry, buckets=BUCKETS
        )
        self.work_duration = Histogram(
            "workqueue_work_duration_seconds", "Time a key was processed", label, registry=registry, buckets=BUCKETS
        )
        self.unfinished = Gauge(
            "workqueue_unfinished_work_seconds", "Sum of the ages of the work under way", label, registry=registry
        )
        self.longest = Gauge(
            "workqueue_longest_running_processor_seconds", "Age of the oldest work under way", label, registry=registry
        )

    @classmethod
    def of(cls, registry: CollectorRegistry) -> "QueueMetrics":
        """The families of a registry, registered once."""
        if registry not in cls._families:
            cls._families[registry] = cls(registry)
        return cls._families[registry]


class MeasuredQueue:
    """Observes one queue."""

    def __init__(self, registry: CollectorRegistry, name: str) -> None:
        metrics = QueueMetrics.of(registry)
        self._adds = metrics.adds.labels(name)
        self._depth = metrics.depth.labels(name)
        self._retries = metrics.retries.labels(name)
        self._queue_duration = metrics.queue_duration.labels(name)
        self._work_duration = metrics.work_duration.labels(name)
        self._added: dict[str, float] = {}
        self._started: dict[str, float] = {}
        metrics.unfinished.labels(name).set_function(lambda: sum(self._ages()))
        metrics.longest.labels(name).set_function(lambda: max(self._ages(), default=0.0))

    def added(self, key: str, depth: int) -> None:
        self._adds.inc()
        self._depth.set(depth)
        self._added.setdefault(key, _now())

    def taken(self, key: str, depth: int) -> None:
        self._depth.set(depth)
        now = _now()
        self._queue_duration.observe(now - self._added.pop(key, now))
        self._started[key] = now

    def done(self, key: str) -> None:
        now = _now()
        self._work_duration.observe(now - self._started.pop(key, now))

    def retried(self, key: str) -> None:
        self._retries.inc()

    def _ages(self) -> list[float]:
        try:
            now = _now()
        except RuntimeError:  # read from outside the loop
            return []
        return [now - start for start in self._started.values()]


def _now() -> float:
    return asyncio.get_running_loop().time()
