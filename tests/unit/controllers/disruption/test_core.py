"""How many pods may be evicted."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kybern.controllers.disruption.core import NoScale, compute_status, failed_status

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def pod(name: str, *, ready: bool = True, owner: str = "rs", deleting: bool = False, phase: str = "Running") -> Any:
    metadata: dict[str, Any] = {"name": name}
    if owner:
        metadata["ownerReferences"] = [{"uid": owner, "controller": True, "kind": "ReplicaSet", "name": owner}]
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": metadata, "status": {"phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]}}


FOUR = [pod("a"), pod("b"), pod("c"), pod("d")]


@pytest.mark.parametrize(
    ("case", "spec", "pods", "numbers"),
    [
        ("at least", {"minAvailable": 3}, FOUR, (4, 3, 4, 1)),
        ("at least, by percent of what is wanted", {"minAvailable": "50%"}, FOUR, (4, 3, 5, 1)),
        ("at most", {"maxUnavailable": 2}, FOUR, (4, 3, 5, 1)),
        ("at most, by percent rounded up", {"maxUnavailable": "25%"}, FOUR, (4, 3, 5, 1)),
        ("one is not ready", {"minAvailable": 3}, [*FOUR[:3], pod("d", ready=False)], (3, 3, 4, 0)),
        ("one is going", {"minAvailable": 3}, [*FOUR[:3], pod("d", deleting=True)], (3, 3, 4, 0)),
        ("one has ended", {"minAvailable": 1}, [*FOUR[:3], pod("d", phase="Succeeded")], (3, 1, 3, 2)),
        ("pods of their own", {"maxUnavailable": 1}, [pod("x", owner=""), pod("y", owner="")], (2, 0, 0, 0)),
        ("pods of their own, counted", {"minAvailable": 1}, [pod("x", owner=""), pod("y", owner="")], (2, 1, 2, 1)),
        ("some on their own", {"maxUnavailable": 2}, [*FOUR, pod("x", owner="")], (5, 3, 5, 2)),
        ("none", {"minAvailable": 0}, [], (0, 0, 0, 0)),
    ],
)
def test_numbers(case: str, spec: Any, pods: Any, numbers: tuple[int, ...]) -> None:
    status, _ = compute_status({"metadata": {"generation": 2}, "spec": spec}, pods, {"rs": 5}, NOW)
    fields = ("currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed")
    assert tuple(status[field] for field in fields) == numbers
    reason = "SufficientPods" if numbers[3] else "InsufficientPods"
    assert status["conditions"][0]["reason"] == reason
    assert status["observedGeneration"] == 2


@pytest.mark.parametrize("spec", [{"maxUnavailable": 1}, {"minAvailable": "50%"}], ids=str)
def test_a_controller_whose_wish_is_unknown_allows_nothing(spec: Any) -> None:
    budget = {"metadata": {"generation": 1}, "spec": spec, "status": {"disruptionsAllowed": 3, "currentHealthy": 4}}
    with pytest.raises(NoScale, match='found no controllers for pod "x"'):
        compute_status(budget, [*FOUR, pod("x", owner="other")], {"rs": 5}, NOW)
    status = failed_status(budget, "why", NOW)
    assert (status["disruptionsAllowed"], status["currentHealthy"]) == (0, 4)
    assert [(c["status"], c["reason"], c["message"]) for c in status["conditions"]] == [("False", "SyncFailed", "why")]


def test_granted_evictions_count_until_they_show_or_expire() -> None:
    disrupted = {"a": "2026-01-01T11:59:00Z", "b": "2026-01-01T11:57:00Z", "gone": "2026-01-01T11:59:30Z"}
    budget = {"metadata": {}, "spec": {"minAvailable": 2}, "status": {"disruptedPods": disrupted}}
    status, look_again = compute_status(budget, FOUR, {}, NOW)
    assert status["disruptedPods"] == {"a": "2026-01-01T11:59:00Z"}
    assert (status["currentHealthy"], status["disruptionsAllowed"], look_again) == (3, 1, 60.0)
