"""Policies and status of Jobs, with the words of a kube-apiserver 1.36."""

from typing import Any

import pytest

from kybern.kube.validation.job_policies import (
    IndexesError,
    count_indexes,
    read_indexes,
    validate_failure_policy,
    validate_success_policy,
)
from kybern.kube.validation.job_status import validate_job_status_update
from kybern.kube.validation.workload_status import deployment_status

INDEXES: dict[str, int | str] = {
    "": 0,
    "0,2-4": 4,
    "1,0": "non-increasing order, previous: 1, current: 0",
    "1-1": "non-increasing order, previous: 1, current: 1",
    "0-": 'cannot convert string to integer for index: ""',
    "a": 'cannot convert string to integer for index: "a"',
    "9": 'too large index: "9"',
}


@pytest.mark.parametrize("listed", INDEXES)
def test_indexes(listed: str) -> None:
    wanted = INDEXES[listed]
    if isinstance(wanted, int):
        assert count_indexes(listed, 9) == wanted == len(read_indexes(listed, 9))
    else:
        with pytest.raises(IndexesError) as error:
            count_indexes(listed, 9)
        assert str(error.value) == wanted


RULES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "fine": ({"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1, 2]}}, []),
    "empty": (
        {},
        [
            'p.rules[0].action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]',
            "p.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
        ],
    ),
    "codes out of order": (
        {"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [2, 1]}},
        ["p.rules[0].onExitCodes.values: Invalid value: [2,1]: must be ordered"],
    ),
    "zero": (
        {"action": "Count", "onExitCodes": {"operator": "In", "values": [0]}},
        ["p.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator"],
    ),
}


@pytest.mark.parametrize("case", RULES)
def test_failure_policy(case: str) -> None:
    rule, wanted = RULES[case]
    assert [str(error) for error in validate_failure_policy({"podFailurePolicy": {"rules": [rule]}}, "p")] == wanted


def test_success_policy() -> None:
    spec = {"completions": 3, "successPolicy": {"rules": [{"succeededIndexes": "0-1", "succeededCount": 5}, {}]}}
    assert [str(error) for error in validate_success_policy(spec, "p")] == [
        "p.rules[0].succeededCount: Invalid value: 5: must be less than or equal to 3 "
        "(the number of specified completions)",
        "p.rules[0].succeededCount: Invalid value: 5: must be less than or equal to 2 "
        "(the number of indexes in the specified succeededIndexes field)",
        "p.rules[1]: Required value: at least one of succeededCount or succeededIndexes must be specified",
    ]


def test_status_of_a_job() -> None:
    status = {"ready": 2, "conditions": [{"type": "Complete", "status": "True"}]}
    assert [str(error) for error in validate_job_status_update({"spec": {}, "status": status}, {})] == [
        "status.ready: Invalid value: 2: cannot set more ready pods than active",
        "status.completionTime: Required value: completionTime is required for Complete jobs",
        "status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true "
        "condition",
        "status.startTime: Required value: startTime is required for finished job",
    ]


def test_status_of_a_deployment() -> None:
    status = {"replicas": 2, "readyReplicas": 1, "availableReplicas": 3}
    assert [str(error) for error in deployment_status({"status": status}, {})] == [
        "status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas",
    ]
