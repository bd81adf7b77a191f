"""The scheduler's metrics, under Kubernetes' names."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from kybern.scheduler.core.cache import Cache
from kybern.scheduler.core.queue import Place, Queue, QueuedPod

SECONDS = tuple(0.0001 * 2**power for power in range(18))
SLI_SECONDS = tuple(0.01 * 2**power for power in range(20))


class Metrics:
    """What the loop counts; queue and cache are read when somebody asks."""

    def __init__(self, registry: CollectorRegistry, profile: str, queue: Queue, cache: Cache) -> None:
        self._profile = profile
        self.attempts = Counter(
            "scheduler_schedule_attempts_total",
            "Attempts to schedule pods, by the result",
            ["result", "profile"],
            registry=registry,
        )
        self._duration = Histogram(
            "scheduler_scheduling_attempt_duration_seconds",
            "Time of one scheduling cycle",
            ["result", "profile"],
            registry=registry,
            buckets=SECONDS,
        )
        self._sli = Histogram(
            "scheduler_pod_scheduling_sli_duration_seconds",
            "Time from first seeing a pod to its bind",
            ["attempts"],
            registry=registry,
            buckets=SLI_SECONDS,
        )
        self._tries = Histogram(
            "scheduler_pod_scheduling_attempts",
            "Attempts until a pod was bound",
            registry=registry,
            buckets=(1, 2, 4, 8, 16),
        )
        self.preemptions = Counter(
            "scheduler_preemption_attempts_total", "Attempts to make room by preemption", registry=registry
        )
        self.victims = Histogram(
            "scheduler_preemption_victims", "Pods removed for one pod", registry=registry, buckets=(1, 2, 4, 8, 16, 32)
        )
        pending = Gauge("scheduler_pending_pods", "Pods that wait, by queue", ["queue"], registry=registry)
        for place in (Place.ACTIVE, Place.BACKOFF, Place.UNSCHEDULABLE, Place.GATED):
            pending.labels(place.value).set_function(partial(_waiting, queue, place))
        size = Gauge("scheduler_cache_size", "Objects in the scheduler's cache", ["type"], registry=registry)
        size.labels("nodes").set_function(lambda: len(cache.objects))
        size.labels("pods").set_function(lambda: len(cache))

    def decided(self, result: str, seconds: float) -> None:
        """One cycle ended: scheduled or unschedulable."""
        self._duration.labels(result, self._profile).observe(seconds)
        if result != "scheduled":
            self.attempts.labels(result, self._profile).inc()

    def scheduled(self, queued: QueuedPod, now: float) -> None:
        """One pod was bound."""
        self.attempts.labels("scheduled", self._profile).inc()
        self._tries.observe(queued.attempts)
        self._sli.labels(str(min(queued.attempts, 16))).observe(now - queued.added)


def _waiting(queue: Queue, place: Place) -> float:
    return queue.counts()[place]
