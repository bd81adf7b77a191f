"""Rules of autoscalers, events, signing requests, budgets and device claims that other tests do not reach."""

from typing import Any

import pytest

from kybern.kube.validation import autoscaling, certificates, devices, event, policy, resource_slice

Object = dict[str, Any]
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
EVENT = {
    "metadata": {"namespace": "n"}, "involvedObject": {"namespace": "n"}, "eventTime": "2026-01-01T00:00:00.000000Z",
    "reportingComponent": "a.b/c", "reportingInstance": "i", "action": "A", "reason": "R", "type": "Normal",
}  # fmt: skip


def messages(errors: Any) -> list[str]:
    return [str(error) for error in errors]


@pytest.mark.parametrize(
    ("metric", "wanted"),
    [
        pytest.param({"type": "Pods"}, ["pods: Required value: must populate information for the given metric source"],
                     id="source absent"),
        pytest.param({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Value"}}},
                     ["resource.target.averageUtilization: Required value: must set either a target raw value or a "
                      "target utilization"], id="no amount"),
        pytest.param({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Value", "averageValue": "1"}},
                      "external": None, "containerResource": {}},
                     ["containerResource: Forbidden: must populate the given metric source only"], id="another source"),
    ],
)  # fmt: skip
def test_metrics(metric: Object, wanted: list[str]) -> None:
    spec = {"maxReplicas": 1, "scaleTargetRef": TARGET, "metrics": [metric]}
    found = messages(autoscaling.validate_autoscaler({"spec": spec}))
    assert found == [f"spec.metrics[0].{line}" for line in wanted]


def test_an_event_of_the_new_group_has_nothing_of_the_old() -> None:
    assert messages(event.validate_event(EVENT)) == []
    assert messages(event.validate_event({**EVENT, "count": 3, "series": {"count": 1}})) == [
        'series.count: Invalid value: "": should be at least 2',
        "series.lastObservedTime: Required value",
        'count: Invalid value: "": needs to be unset',
    ]
    changed = {**EVENT, "action": "B"}
    assert messages(event.validate_event_update(changed, EVENT)) == ['action: Invalid value: "B": field is immutable']


def test_decisions_last() -> None:
    approved = {"status": {"conditions": [{"type": "Approved", "status": "True"}]}}
    assert messages(certificates.validate_approval_update(approved, {})) == []
    assert messages(certificates.validate_status_update(approved, {})) == [
        'status.conditions: Forbidden: updates may not add a condition of type "Approved"'
    ]
    assert messages(certificates.validate_approval_update({}, approved)) == [
        'status.conditions: Forbidden: updates may not remove a condition of type "Approved"'
    ]


def test_the_status_of_a_budget_counts_nothing_negative() -> None:
    found = messages(policy.validate_budget_status({"status": {"expectedPods": -1}}, {}))
    assert found == ["status.expectedPods: Invalid value: -1: must be greater than or equal to 0"]


def test_constraints_name_requests_of_the_claim() -> None:
    exactly = {"deviceClassName": "c", "allocationMode": "ExactCount", "count": 1}
    claim = {
        "requests": [{"name": "r", "exactly": exactly}],
        "constraints": [{"requests": ["x"], "matchAttribute": "a.b/c"}],
    }
    (found,) = messages(devices.validate_devices(claim, "spec.devices"))
    assert found.startswith(
        'spec.devices.constraints[0].requests[0]: Invalid value: "x": must be the name of a request'
    )


def test_a_slice_is_at_one_place() -> None:
    spec = {"driver": "a.b", "pool": {"name": "p", "resourceSliceCount": 1}, "nodeName": "n", "allNodes": True}
    (found,) = messages(resource_slice.validate_resource_slice({"spec": spec}))
    assert found.startswith('spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of')
