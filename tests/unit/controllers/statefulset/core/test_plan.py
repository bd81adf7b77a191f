"""The next step of a StatefulSet."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kybern.controllers.statefulset.core.plan import compute_plan, compute_status

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Object = dict[str, Any]


def stateful_set(replicas: int, **spec: Any) -> Object:
    return {"metadata": {"name": "db", "namespace": "d", "generation": 1}, "spec": {"replicas": replicas, **spec}}


def pod(ordinal: int, ready: bool) -> Object:
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": "2025-01-01T00:00:00Z"}
    return {
        "metadata": {"name": f"db-{ordinal}", "namespace": "d", "labels": {"controller-revision-hash": "one"}},
        "status": {"phase": "Running", "conditions": [condition]},
    }


def decided(replicas: int, ready: str, **spec: Any) -> tuple[list[int], list[str]]:
    """What is created and deleted with pods of these ordinals, `+` for ready ones."""
    pods = [pod(ordinal, sign == "+") for ordinal, sign in enumerate(ready)]
    plan = compute_plan(stateful_set(replicas, **spec), pods, "one", "one", NOW)
    return [ordinal for ordinal, _ in plan.create], [one["metadata"]["name"] for one in plan.delete]


STEPS = {
    "first": (3, "", ([0], [])),
    "next": (3, "+", ([1], [])),
    "waits for the one before": (3, "+-", ([], [])),
    "scale down from the top": (1, "+++", ([], ["db-2"])),
    "scale down of the lowest that is not well": (1, "++-", ([], ["db-2"])),
    "scale down waits for the top to be well": (0, "---", ([], [])),
    "scale down of the top while a lower one is not well": (0, "-++", ([], ["db-2"])),
}


@pytest.mark.parametrize("case", STEPS)
def test_ordered(case: str) -> None:
    replicas, ready, wanted = STEPS[case]
    assert decided(replicas, ready) == wanted


def test_parallel_does_not_wait() -> None:
    assert decided(0, "---", podManagementPolicy="Parallel") == ([], ["db-2", "db-1", "db-0"])


def rolling(line: int, **more: Any) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": line, **more}}


PARALLEL: dict[str, Any] = {"podManagementPolicy": "Parallel"}


UPDATES = {
    "the last first": ("ooo", {}, ([], ["db-2"])),
    "one after the other": ("oon", {}, ([], ["db-1"])),
    "down to the partition": ("onn", {"updateStrategy": rolling(1)}, ([], [])),
    "a pod below the partition comes back as it was": (".nn", {"updateStrategy": rolling(1)}, ([(0, "old")], [])),
    "any other as it is now": (".on", {}, ([(0, "new")], [])),
    "only when somebody deletes": ("o.o", {"updateStrategy": {"type": "OnDelete"}}, ([(1, "new")], [])),
    "the partition counts from the first ordinal": (
        "...onn", {"ordinals": {"start": 3}, "updateStrategy": rolling(1)}, ([], []),
    ),
    "as many as may be missing": ("ooo", {"updateStrategy": rolling(0, maxUnavailable=2)}, ([], ["db-2", "db-1"])),
    "a share, rounded down": ("ooo", {"updateStrategy": rolling(0, maxUnavailable="70%")}, ([], ["db-2", "db-1"])),
    "one at least": ("ooo", {"updateStrategy": rolling(0, maxUnavailable="10%")}, ([], ["db-2"])),
    "parallel, one missing": ("onN", {**PARALLEL, "updateStrategy": rolling(0, maxUnavailable=2)}, ([], ["db-0"])),
    "parallel, enough missing": ("ooN", PARALLEL, ([], [])),
    "parallel, what does not work goes first": ("OoO", PARALLEL, ([], ["db-2", "db-0"])),
    "in order, what does not work holds up the rest": ("Ooo", {}, ([], [])),
    "and what is below it stays": (
        "....nn", {"ordinals": {"start": 3}, "updateStrategy": rolling(1)}, ([(3, "old")], []),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UPDATES)
def test_update(case: str) -> None:
    revisions, spec, wanted = UPDATES[case]
    pods = []
    for ordinal, letter in enumerate(revisions):
        if letter != ".":
            made = pod(ordinal, ready=letter.islower())  # capital letters: not ready
            made["metadata"]["labels"]["controller-revision-hash"] = {"o": "old", "n": "new"}[letter.lower()]
            pods.append(made)
    three = {**stateful_set(3, **spec), "status": {"currentReplicas": revisions.count("o")}}
    plan = compute_plan(three, pods, "old", "new", NOW)
    assert (list(plan.create), [one["metadata"]["name"] for one in plan.delete]) == wanted


@pytest.mark.parametrize(("pods", "current"), [(3, "one"), (2, "old")])
def test_an_update_is_over_when_all_pods_are_new_and_none_is_missing(pods: int, current: str) -> None:
    status = compute_status(stateful_set(3), [pod(ordinal, True) for ordinal in range(pods)], "old", "one", NOW)
    assert (status["currentRevision"], status["updatedReplicas"]) == (current, pods)
