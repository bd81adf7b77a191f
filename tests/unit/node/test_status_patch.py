"""What a node agent sends of a pod's status, as the apiserver's strategic merge takes it in."""

from typing import Any

from kybern.kube.patch import schema_facts, strategic
from kybern.node.status_writer import status_patch

POD = {
    "metadata": {"name": "p", "uid": "u"},
    "status": {
        "reason": "Old",
        "podIP": "10.0.0.2",
        "podIPs": [{"ip": "10.0.0.2"}],
        "hostIPs": [{"ip": "192.0.2.1"}],
        "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
    },
}


def apply(patch: Any) -> Any:
    return strategic.apply(POD, patch, schema_facts.built_in(), "io.k8s.api.core.v1.Pod")["status"]


def test_what_was_is_no_more() -> None:
    now = {
        "phase": "Running",
        "podIP": "10.0.0.9",
        "podIPs": [{"ip": "10.0.0.9"}],
        "hostIPs": [{"ip": "192.0.2.7"}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    found = apply(status_patch(POD, now))
    assert found["podIPs"] == [{"ip": "10.0.0.9"}]
    assert found["hostIPs"] == [{"ip": "192.0.2.7"}]
    assert found["conditions"] == [{"type": "Ready", "status": "True"}]
    assert "reason" not in found


def test_a_pod_without_addresses_keeps_those_it_had() -> None:
    assert apply(status_patch(POD, {"phase": "Failed"}))["podIPs"] == [{"ip": "10.0.0.2"}]
