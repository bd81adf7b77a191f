"""Failure and success policies of Jobs, and limits for each index."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kybern.controllers.job.core.count import FINALIZER
from kybern.controllers.job.core.plan import JobPlan, compute_plan
from kybern.controllers.job.core.policy import judge, matched_success_rule

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
Object = dict[str, Any]
INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"


def pod(name: str, code: int = 0, phase: str = "Failed", index: int | None = None, failures: int = 0) -> Object:
    notes = {INDEX: str(index), FAILURES: str(failures)} if index is not None else {}
    ended = {"exitCode": code, "finishedAt": "2026-01-01T00:00:00Z"}
    return {
        "metadata": {"name": name, "namespace": "d", "uid": name, "finalizers": [FINALIZER], "annotations": notes},
        "status": {"phase": phase, "containerStatuses": [{"name": "c", "state": {"terminated": ended}}]},
    }


def disrupted(name: str) -> Object:
    found = pod(name, 143)
    found["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True"}]
    return found


def job(**spec: Any) -> Object:
    defaults = {"completions": 3, "parallelism": 3, "template": {"spec": {}}}
    started = {"startTime": "2026-01-01T00:00:00Z"}
    return {"metadata": {"name": "j", "namespace": "d"}, "spec": {**defaults, **spec}, "status": started}


def rule(action: str, operator: str, *values: int, container: str | None = None) -> Object:
    codes: Object = {"operator": operator, "values": list(values)}
    return {"action": action, "onExitCodes": codes | ({"containerName": container} if container else {})}


ON_DISRUPTION = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
WHY = "Container c for pod d/a failed with exit code 3 matching FailJob rule at index 0"
VERDICTS: dict[str, tuple[list[Object], Object, tuple[str, str]]] = {
    "no rule": ([], pod("a", 3), ("Count", "")),
    "code among the values": ([rule("FailJob", "In", 3, 4)], pod("a", 3), ("FailJob", WHY)),
    "code not among them": ([rule("FailJob", "In", 4)], pod("a", 3), ("Count", "")),
    "any other code": ([rule("FailJob", "NotIn", 4)], pod("a", 3), ("FailJob", WHY)),
    "another container": ([rule("FailJob", "In", 3, container="x")], pod("a", 3), ("Count", "")),
    "condition": (
        [rule("FailJob", "In", 3), ON_DISRUPTION],
        disrupted("a"),
        ("Ignore", "Pod d/a has condition DisruptionTarget matching Ignore rule at index 1"),
    ),
    "an index without a limit cannot fail": ([rule("FailIndex", "In", 3)], pod("a", 3), ("Count", "")),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_verdict_on_a_pod(case: str) -> None:
    rules, failed, wanted = VERDICTS[case]
    assert judge(job(podFailurePolicy={"rules": rules}), failed) == wanted


SUCCESS: dict[str, tuple[Object, set[int], bool]] = {
    "all of the indexes": ({"succeededIndexes": "0-1"}, {0, 1, 5}, True),
    "some of the indexes": ({"succeededIndexes": "0-1"}, {1, 5}, False),
    "enough of the indexes": ({"succeededIndexes": "0-2", "succeededCount": 1}, {1}, True),
    "enough of all": ({"succeededCount": 2}, {4, 5}, True),
    "too few of all": ({"succeededCount": 2}, {4}, False),
}


@pytest.mark.parametrize("case", SUCCESS)
def test_success_rule(case: str) -> None:
    one, completed, met = SUCCESS[case]
    assert matched_success_rule(job(successPolicy={"rules": [one]}), completed) == (0 if met else None)


def conditions(plan: JobPlan) -> dict[str, str]:
    return {one["type"]: one.get("reason", "") for one in (plan.status or {}).get("conditions") or ()}


def names(plan: JobPlan) -> list[str]:
    return [one["metadata"]["name"] for one in plan.finalize]


def test_an_ignored_failure_counts_for_nothing() -> None:
    plan = compute_plan(job(backoffLimit=0, podFailurePolicy={"rules": [ON_DISRUPTION]}), [disrupted("a")], NOW)
    assert (names(plan), conditions(plan), plan.create) == (["a"], {}, 3)
    assert plan.status is not None
    assert plan.status["uncountedTerminatedPods"] == {}


def test_a_failure_that_fails_the_job() -> None:
    rules = [rule("FailJob", "In", 3)]
    plan = compute_plan(job(podFailurePolicy={"rules": rules}), [pod("a", 3)], NOW)
    assert conditions(plan) == {"FailureTarget": "PodFailurePolicy"}


def test_success_policy_ends_the_job() -> None:
    spec = {"completionMode": "Indexed", "successPolicy": {"rules": [{"succeededIndexes": "0"}]}}
    plan = compute_plan(job(**spec), [pod("a", phase="Succeeded", index=0), pod("b", phase="Running", index=1)], NOW)
    assert conditions(plan) == {"SuccessCriteriaMet": "SuccessPolicy"}
    assert [one["metadata"]["name"] for one in plan.delete] == ["b"]


@pytest.mark.parametrize(("limit", "over"), [(5, True), (6, False)])
def test_restarts_of_all_containers_count_where_containers_are_restarted(limit: int, over: bool) -> None:
    running = pod("a", phase="Running")
    running["status"]["containerStatuses"] = [{"name": "c", "restartCount": 2}, {"name": "d", "restartCount": 2}]
    running["status"]["initContainerStatuses"] = [{"name": "i", "restartCount": 1}]
    template = {"spec": {"restartPolicy": "OnFailure"}}
    wanted = {"FailureTarget": "BackoffLimitExceeded"} if over else {}
    assert conditions(compute_plan(job(backoffLimit=limit, template=template), [running], NOW)) == wanted


def per_index(limit: int, *pods: Object, **spec: Any) -> JobPlan:
    return compute_plan(job(completionMode="Indexed", backoffLimitPerIndex=limit, backoffLimit=99, **spec), pods, NOW)


def test_an_index_is_tried_again_and_counts_on() -> None:
    plan = per_index(1, pod("a", 1, index=0))
    assert (plan.indexes, plan.annotations[0]) == ((0, 1, 2), {FAILURES: "1"})


@pytest.mark.parametrize("odd", ["²", "9" * 5000, "-3", ""])
def test_a_count_that_is_none_is_no_count(odd: str) -> None:
    failed = pod("a", 1, index=0)
    failed["metadata"]["annotations"][FAILURES] = odd
    assert per_index(1, failed).annotations[0] == {FAILURES: "1"}


def test_a_last_failure_is_kept_until_there_is_another_pod() -> None:
    spec = {"completionMode": "Indexed", "backoffLimitPerIndex": 5, "backoffLimit": 99}
    was = job(**spec)
    was["status"]["uncountedTerminatedPods"] = {"failed": ["a"]}
    assert names(compute_plan(was, [pod("a", 1, index=0)], NOW)) == []
    assert names(compute_plan(was, [pod("a", 1, index=0), pod("b", phase="Running", index=0, failures=1)], NOW)) == [
        "a"
    ]


def test_an_index_over_its_limit_is_left() -> None:
    plan = per_index(0, pod("a", 1, index=1))
    assert plan.status is not None
    assert (plan.status["failedIndexes"], plan.indexes) == ("1", (0, 2))


def test_an_index_waits_for_itself_alone() -> None:
    failed = pod("a", 1, index=0)
    failed["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = "2026-01-01T01:00:00Z"
    plan = per_index(3, failed)
    assert (plan.indexes, plan.look_again) == ((1, 2), 10.0)


def test_too_many_failed_indexes() -> None:
    plan = per_index(0, pod("a", 1, index=0), pod("b", 1, index=1), maxFailedIndexes=1)
    assert conditions(plan) == {"FailureTarget": "MaxFailedIndexesExceeded"}


def test_all_indexes_ended_and_some_failed() -> None:
    done = [pod("b", phase="Succeeded", index=1), pod("c", phase="Succeeded", index=2)]
    plan = per_index(0, pod("a", 1, index=0), *done)
    assert conditions(plan) == {"FailureTarget": "FailedIndexes"}
    assert plan.status is not None
    assert (plan.status["failedIndexes"], plan.status["completedIndexes"]) == ("0", "1,2")
