"""Metrics of admission policies, with Kubernetes' names."""

from prometheus_client import CollectorRegistry, Counter, Histogram

BUCKETS = (5e-7, 1e-3, 1e-2, 1e-1, 1.0)
NO_ERROR, INVALID, OUT_OF_BUDGET = "no_error", "invalid_error", "out_of_budget"


class PolicyMetrics:
    """How often policies were evaluated, how that ended, and how long it took. `kind` is validating or mutating."""

    def __init__(self, registry: CollectorRegistry, kind: str) -> None:
        labels = ("policy", "policy_binding", "error_type", "enforcement_action")
        self._labels = labels if kind == "validating" else labels[:3]
        prefix = f"apiserver_{kind}_admission_policy_check"
        self._total = Counter(prefix, f"Evaluations of {kind} policies", self._labels, registry=registry)
        self._seconds = Histogram(
            f"{prefix}_duration_seconds", f"How long evaluations of {kind} policies took", self._labels,
            buckets=BUCKETS, registry=registry,
        )  # fmt: skip

    def count(self, policy: str, binding: str, seconds: float, error: str = NO_ERROR, action: str = "allow") -> None:
        """One evaluation."""
        values = (policy, binding, error, action)[: len(self._labels)]
        self._total.labels(*values).inc()
        self._seconds.labels(*values).observe(seconds)
