"""Policies and status of Jobs, with the words of a kube-apiserver 1.36."""

from typing import Any

import pytest

from kybern.kube.validation.batch import validate_cron_job, validate_job
from kybern.kube.validation.cron_schedule import validate_schedule
from kybern.kube.validation.job_policies import (
    IndexesError,
    count_indexes,
    read_indexes,
    validate_failure_policy,
    validate_success_policy,
)
from kybern.kube.validation.job_status import validate_job_status_update
from kybern.kube.validation.workload_status import deployment_status
from kybern.kube.validation.workloads import (
    validate_controller_revision,
    validate_controller_revision_update,
    validate_replication_controller,
)

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


T, LATER = "2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z"
INDEXED = {"completionMode": "Indexed", "completions": 3, "backoffLimitPerIndex": 1}


def said(*kinds: str) -> list[dict[str, str]]:
    return [{"type": kind, "status": "True"} for kind in kinds]


# spec, status before, status after, errors
STATUSES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[str]]] = {
    "an end out of nothing": ({}, {}, {"ready": 2, "conditions": said("Complete")}, [
        "status.completionTime: Required value: completionTime is required for Complete jobs",
        "status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true "
        "condition",
        "status.startTime: Required value: startTime is required for finished job",
        "status.ready: Invalid value: 2: cannot set more ready pods than active"]),
    "failed and not announced": ({}, {}, {"startTime": T, "terminating": 1, "conditions": said("Failed")}, [
        "status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition",
        "status.terminating: Invalid value: 1: terminating>0 is invalid for finished job"]),
    "pods to be counted": ({}, {}, {"startTime": T, "conditions": said("FailureTarget", "Failed"),
                                    "uncountedTerminatedPods": {"failed": ["a"]}}, [
        'status.uncountedTerminatedPods: Invalid value: {"Succeeded":null,"Failed":["a"]}: must be empty for finished '
        "job"]),
    "success and failure": ({}, {}, {"conditions": said("SuccessCriteriaMet", "FailureTarget")}, [
        "status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"]),
    "unreadable": (INDEXED, {}, {"completedIndexes": "x", "failedIndexes": "1,0"}, [
        'status.completedIndexes: Invalid value: "x": error parsing completedIndexes: cannot convert string to integer '
        'for index: "x"',
        'status.failedIndexes: Invalid value: "1,0": error parsing failedIndexes: non-increasing order, previous: 1, '
        "current: 0"]),
    "in both": (INDEXED, {}, {"completedIndexes": "0-1", "failedIndexes": "+1,2"}, [
        'status.failedIndexes: Invalid value: "+1,2": failedIndexes and completedIndexes overlap at index: 1']),
    "not indexed": ({"completions": 1}, {}, {"completedIndexes": "0", "failedIndexes": ""}, [
        'status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed '
        "completion mode",
        'status.failedIndexes: Invalid value: "": cannot set non-null failedIndexes when backoffLimitPerIndex is '
        "null"]),
    "taken back": ({}, {"startTime": T, "failed": 2, "succeeded": 2, "conditions": said("FailureTarget", "Failed")},
                   {"startTime": LATER, "failed": 1}, [
        "status.conditions: Invalid value: cannot disable the terminal Failed=True condition",
        "status.conditions: Invalid value: cannot disable the terminal FailureTarget=True condition",
        "status.failed: Invalid value: 1: cannot decrease the failed counter",
        "status.succeeded: Invalid value: 0: cannot decrease the succeeded counter",
        f'status.startTime: Invalid value: "{LATER}": field is immutable for unsuspended job once set']),
    "suspended": ({"suspend": True}, {"startTime": T}, {}, []),
    "resumed": ({}, {"startTime": T, "conditions": said("Suspended")},
                {"startTime": LATER, "conditions": [{"type": "Suspended", "status": "False"}]}, []),
    "suspended, without completions": ({"suspend": True, "completions": 0}, {}, {
        "completionTime": T, "conditions": said("SuccessCriteriaMet", "Complete")}, []),
    "suspended, with completions": ({"suspend": True, "completions": 1}, {}, {
        "completionTime": T, "conditions": said("SuccessCriteriaMet", "Complete")}, [
        "status.startTime: Required value: startTime is required for finished job"]),
    "as it was": ({}, {"conditions": said("Complete")}, {"conditions": said("Complete")}, []),
}  # fmt: skip


@pytest.mark.parametrize("case", STATUSES)
def test_status_of_a_job(case: str) -> None:
    spec, before, status, wanted = STATUSES[case]
    found = validate_job_status_update({"spec": spec, "status": status}, {"status": before})
    assert [str(error) for error in found] == wanted


SCHEDULES: dict[str, list[str]] = {
    "*/5 1-3 ? jan,DEC mon-fri": [],
    "1,,3 * * * ,": [],
    "+1 *-5 * * *": [],
    "@every -1h30m": [],
    "@every 1": ['failed to parse duration @every 1: time: missing unit in duration "1"'],
    "@reboot": ["unrecognized descriptor: @reboot"],
    "1/2/3 * * * *": ["too many slashes: 1/2/3"],
    "1-2-3 * * * *": ["too many hyphens: 1-2-3"],
    "60 * * * *": ["end of range (60) above maximum (59): 60"],
    "5-1 * * * *": ["beginning of range (5) beyond end of range (1): 5-1"],
    "*/0 * * * *": ["step of range should be a positive number: */0"],
    "* * *": ["expected exactly 5 fields, found 3: [* * *]"],
    "TZ=UTC @hourly": ["cannot use TZ or CRON_TZ in schedule, use timeZone field instead"],
    "TZ=Nope/Where * * * * *": [
        "provided bad location Nope/Where: unknown time zone Nope/Where",
        "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
    ],
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules(schedule: str) -> None:
    assert [error.detail for error in validate_schedule(schedule, "s")] == SCHEDULES[schedule]


MANY = "when completions are above 100000 and used with backoff limit per index"
SPECS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "too many to follow": ({**INDEXED, "completions": 100001, "parallelism": 10001, "maxFailedIndexes": 10001}, [
        f"spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 {MANY}",
        f"spec.maxFailedIndexes: Invalid value: 10001: must be less than or equal to 10000 {MANY}"]),
    "too many and no limit": ({**INDEXED, "completions": 100001}, [
        "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000"]),
    "failures of no index": ({"maxFailedIndexes": 1}, [
        "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
        "spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SPECS)
def test_specs(case: str) -> None:
    spec, wanted = SPECS[case]
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    found = [str(error) for error in validate_job({"metadata": {"name": "j"}, "spec": {**spec, "template": template}})]
    assert [line for line in found if "template" not in line] == wanted


def test_jobs_of_a_cron_job_have_no_selectors_of_their_own() -> None:
    job = {"selector": {"matchLabels": {"a": "b"}}, "manualSelector": True}
    found = validate_cron_job({"spec": {"schedule": "@daily", "jobTemplate": {"spec": job}}})
    assert [str(error) for error in found if "elector" in error.field] == [
        'spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated',
        'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
    ]


def test_status_of_a_deployment() -> None:
    status = {"replicas": 2, "readyReplicas": 1, "availableReplicas": 3}
    assert [str(error) for error in deployment_status({"status": status}, {})] == [
        "status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas",
    ]


def test_what_revisions_hold() -> None:
    new = validate_controller_revision({"data": "x", "revision": 1})
    assert [str(error) for error in new] == ["data: Required value: data must be a valid JSON object"]
    changed = validate_controller_revision_update({"data": "x", "revision": 1}, {"data": {}, "revision": 1})
    assert [str(error) for error in changed] == ['data: Invalid value: "x": field is immutable']


def test_replication_controllers_are_named() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"restartPolicy": "Always", "activeDeadlineSeconds": 1}}
    spec = {"replicas": 1, "selector": {"a": "b"}, "template": template}
    found = [error.detail for error in validate_replication_controller({"spec": spec})]
    assert "activeDeadlineSeconds in ReplicationController is not Supported" in found
