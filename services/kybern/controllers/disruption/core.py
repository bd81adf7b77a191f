"""The status of a PodDisruptionBudget."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from kybern.controllers.core import pods as podlib
from kybern.kube import meta
from kybern.kube.conditions import set_condition
from kybern.kube.intstr import is_percent, scaled_value
from kybern.kube.meta import Object

UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a result, the "
    "status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these "
    'pods please set ".spec.minAvailable" field of the PDB to an integer value.'
)
EVICTION_SECONDS = 120  # an evicted pod that is not deleted by then was not evicted after all


class NoScale(Exception):
    """How many pods a controller wants cannot be told, and the budget depends on it."""


def counts_controllers(budget: Object) -> bool:
    """Whether the budget depends on how many pods their controllers want, not on those that are there."""
    spec: Object = budget["spec"]
    return spec.get("maxUnavailable") is not None or is_percent(spec.get("minAvailable", 1))


def compute_status(
    budget: Object, pods: Sequence[Object], scales: Mapping[str, int], now: datetime
) -> tuple[Object, float | None]:
    """(status, seconds until it may change by itself). `scales`: replicas wanted, by the uid of a pod's controller.

    Raises NoScale.
    """
    disrupted, look_again = _disrupted(budget, pods, now)
    active = [pod for pod in pods if not podlib.is_terminal(pod)]
    expected, desired = _expected_and_desired(budget, active, scales)
    healthy = sum(
        podlib.is_ready(pod) and not meta.is_deleting(pod) and meta.name(pod) not in disrupted for pod in active
    )
    allowed = max(0, healthy - desired) if expected > 0 else 0
    status: Object = {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "disruptionsAllowed": allowed,
        "observedGeneration": meta.generation(budget),
    }
    if disrupted:
        status["disruptedPods"] = disrupted
    verdict = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    return {**status, "conditions": _conditions(budget, *verdict, "", now)}, look_again


def failed_status(budget: Object, why: str, now: datetime) -> Object:
    """The status while nothing can be told: no pod may be evicted."""
    counts = dict.fromkeys(("currentHealthy", "desiredHealthy", "expectedPods"), 0)
    conditions = _conditions(budget, "False", "SyncFailed", why, now)
    return {**counts, **(budget.get("status") or {}), "disruptionsAllowed": 0, "conditions": conditions}


def _conditions(budget: Object, status: str, reason: str, message: str, now: datetime) -> list[Object]:
    conditions = [dict(c) for c in (budget.get("status") or {}).get("conditions") or []]
    generation = meta.generation(budget)
    set_condition(
        conditions,
        "DisruptionAllowed",
        status,
        now=now,
        reason=reason,
        message=message,
        observed_generation=generation,
    )
    for condition in conditions:
        condition.setdefault("message", "")
    return conditions


def _expected_and_desired(budget: Object, pods: Sequence[Object], scales: Mapping[str, int]) -> tuple[int, int]:
    spec: Object = budget["spec"]
    least = spec.get("minAvailable", 1)
    if not counts_controllers(budget):
        return len(pods), int(least)
    expected = _expected(pods, scales)
    if spec.get("maxUnavailable") is None:
        return expected, scaled_value(least, expected, round_up=True)
    return expected, max(0, expected - scaled_value(spec["maxUnavailable"], expected, round_up=True))


def _expected(pods: Sequence[Object], scales: Mapping[str, int]) -> int:
    """The sum of what the controllers of these pods want; a pod without one counts for nothing."""
    controllers: dict[str, int] = {}
    for pod in pods:
        ref = meta.controller_of(pod)
        if ref is None:
            continue
        if ref["uid"] not in scales:
            raise NoScale(f'found no controllers for pod "{meta.name(pod)}"')
        controllers[ref["uid"]] = scales[ref["uid"]]
    return sum(controllers.values())


def _disrupted(budget: Object, pods: Sequence[Object], now: datetime) -> tuple[dict[str, str], float | None]:
    """Evictions that the apiserver has granted and that have not shown yet."""
    known: dict[str, str] = (budget.get("status") or {}).get("disruptedPods") or {}
    there = {meta.name(pod) for pod in pods if not meta.is_deleting(pod)}
    kept: dict[str, str] = {}
    look_again: float | None = None
    for name, time in known.items():
        since = meta.parse_time(time)
        if name not in there or since is None:
            continue
        left = (since + timedelta(seconds=EVICTION_SECONDS) - now).total_seconds()
        if left > 0:
            kept[name] = time
            look_again = left if look_again is None else min(look_again, left)
    return kept, look_again
