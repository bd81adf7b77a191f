"""Metrics of authorization, with Kubernetes' names: decisions of authorizers other than the usual two, and webhooks."""

from prometheus_client import CollectorRegistry, Counter, Histogram

BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25)  # of match conditions
OF_CALLS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONDITIONS_OF = "webhook"


class AuthorizationMetrics:
    """See the module's docstring. Authorizers are told by type and name."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "apiserver_authorization_"

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"{prefix}{name}", says, labels, registry=registry)

        self._decisions = counter("decisions", "What authorizers have decided", "type", "name", "decision")
        self._calls = counter("webhook_evaluations", "Calls of webhooks", "name", "result")
        self._open = counter("webhook_evaluations_fail_open", "Calls without an opinion", "name", "result")
        self._excluded = counter("match_condition_exclusions", "Conditions that were false", "type", "name")
        self._errors = counter("match_condition_evaluation_errors", "Conditions without a value", "type", "name")
        self._seconds = Histogram(
            f"{prefix}webhook_duration_seconds", "Of a call", ("name", "result"), buckets=OF_CALLS, registry=registry
        )
        self._judging = Histogram(
            f"{prefix}match_condition_evaluation_seconds",
            "Of the conditions of one authorizer",
            ("type", "name"),
            buckets=BUCKETS,
            registry=registry,
        )

    def decided(self, kind: str, name: str, *, allowed: bool) -> None:
        """An authorizer has said yes or no for good."""
        self._decisions.labels(kind, name, "allowed" if allowed else "denied").inc()

    def called(self, name: str, result: str, seconds: float, *, failed_open: bool) -> None:
        """A webhook was asked; `result` is success, error or timeout."""
        self._calls.labels(name, result).inc()
        self._seconds.labels(name, result).observe(seconds)
        if failed_open:
            self._open.labels(name, result).inc()

    def judged(self, name: str, seconds: float, *, excluded: bool = False, failed: bool = False) -> None:
        """The conditions of a webhook were looked at."""
        self._judging.labels(CONDITIONS_OF, name).observe(seconds)
        if excluded:
            self._excluded.labels(CONDITIONS_OF, name).inc()
        if failed:
            self._errors.labels(CONDITIONS_OF, name).inc()
