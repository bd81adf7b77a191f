"""Metrics of webhooks, with Kubernetes' names."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0)
CONVERSION_BUCKETS = (0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Count(Gauge):
    """A counter whose name ends otherwise than the client library wants it to."""

    _type = "counter"


@dataclass
class Outcome:
    """How a call ended; whoever makes the call says so. Without an error it is a yes or a no."""

    rejected: bool = False
    code: int = 200
    error: str = "no_error"  # or calling_webhook_error, apiserver_internal_error


class WebhookMetrics:
    """Calls of admission and conversion webhooks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "apiserver_admission_webhook"
        named = ("name", "type", "operation")
        self._seconds = Histogram(
            f"{prefix}_admission_duration_seconds",
            "How long webhooks took to answer",
            (*named, "rejected"),
            buckets=BUCKETS,
            registry=registry,
        )
        self._requests = Counter(
            f"{prefix}_request", "Calls of webhooks", (*named, "code", "rejected"), registry=registry
        )
        self._rejections = Count(
            f"{prefix}_rejection_count",
            "Requests that webhooks have refused",
            (*named, "error_type", "rejection_code"),
            registry=registry,
        )
        self._open = Count(
            f"{prefix}_fail_open_count", "Failures that were ignored", ("name", "type"), registry=registry
        )
        self._conversions = Histogram(
            "apiserver_crd_conversion_webhook_duration_seconds",
            "How long conversion webhooks took",
            ("result", "failure_type"),
            buckets=CONVERSION_BUCKETS,
            registry=registry,
        )

    @contextmanager
    def admission(self, name: str, kind: str, operation: str) -> Iterator[Outcome]:
        """Around one call."""
        time, outcome = asyncio.get_running_loop().time, Outcome()
        started = time()
        try:
            yield outcome
        finally:
            rejected = "true" if outcome.rejected else "false"
            self._seconds.labels(name, kind, operation, rejected).observe(time() - started)
            self._requests.labels(name, kind, operation, str(outcome.code), rejected).inc()
            if outcome.rejected:
                code = str(outcome.code) if outcome.error == "no_error" else "0"
                self._rejections.labels(name, kind, operation, outcome.error, code).inc()

    def failed_open(self, name: str, kind: str) -> None:
        """A failure was ignored."""
        self._open.labels(name, kind).inc()

    def converted(self, seconds: float, failure: str = "") -> None:
        """One call of a conversion webhook; `failure` is upstream's word for what went wrong."""
        self._conversions.labels("failure" if failure else "success", failure).observe(seconds)
