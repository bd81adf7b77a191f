"""The status of a PodDisruptionBudget."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from kybern.controllers.core import pods as podlib
from kybern.kube import meta
from kybern.kube.conditions import set_condition
from kybern.kube.intstr import is_percent, scaled_value
from kybern.kube.meta import Object

EVICTION_SECONDS = 120  # an evicted pod that is not deleted by then was not evicted after all


def compute_status(
    budget: Object, pods: Sequence[Object], scales: Mapping[str, int], now: datetime
) -> tuple[Object, float | None]:
    """(status, seconds until it may change by itself). `scales`: replicas wanted, by the uid of a pod's controller."""
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
    conditions = [dict(c) for c in (budget.get("status") or {}).get("conditions") or []]
    verdict = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    set_condition(
        conditions,
        "DisruptionAllowed",
        verdict[0],
        now=now,
        reason=verdict[1],
        observed_generation=meta.generation(budget),
    )
    for condition in conditions:
        condition.setdefault("message", "")
    return {**status, "conditions": conditions}, look_again


def _expected_and_desired(budget: Object, pods: Sequence[Object], scales: Mapping[str, int]) -> tuple[int, int]:
    spec: Object = budget["spec"]
    if spec.get("maxUnavailable") is not None:
        expected = _expected(pods, scales)
        unavailable = scaled_value(spec["maxUnavailable"], expected, round_up=True)
        return expected, max(0, expected - unavailable)
    least = spec.get("minAvailable", 1)
    if is_percent(least):
        expected = _expected(pods, scales)
        return expected, scaled_value(least, expected, round_up=True)
    return len(pods), int(least)


def _expected(pods: Sequence[Object], scales: Mapping[str, int]) -> int:
    """The sum of what the controllers of these pods want; a pod without one counts as one."""
    controllers: dict[str, int] = {}
    alone = 0
    for pod in pods:
        ref = meta.controller_of(pod)
        if ref is not None and ref["uid"] in scales:
            controllers[ref["uid"]] = scales[ref["uid"]]
        else:
            alone += 1
    return sum(controllers.values()) + alone


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
