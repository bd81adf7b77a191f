"""Conversion between served versions loses nothing on the way there and back."""

from typing import Any

import pytest

from kybern.kube import schema

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
MEMORY = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}}
PODS = {
    "type": "Pods",
    "pods": {"metric": {"name": "hits", "selector": {"matchLabels": {"a": "b"}}},
             "target": {"type": "AverageValue", "averageValue": "10"}},
}  # fmt: skip
OBJECT = {
    "type": "Object",
    "object": {
        "describedObject": {"kind": "Service", "name": "s"},
        "metric": {"name": "hits"},
        "target": {"type": "AverageValue", "averageValue": "10"},
    },
}
EXTERNAL = {
    "type": "External",
    "external": {"metric": {"name": "q", "selector": {}}, "target": {"type": "Value", "value": "30"}},
}


def autoscaler(*metrics: Any, **spec: Any) -> dict[str, Any]:
    obj: dict[str, Any] = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "x"}}
    obj["spec"] = {"maxReplicas": 3, **({"metrics": list(metrics)} if metrics else {}), **spec}
    return obj


@pytest.mark.parametrize(
    "obj",
    [
        pytest.param(autoscaler(), id="bare"),
        pytest.param(autoscaler(CPU), id="cpu"),
        pytest.param(autoscaler(MEMORY, PODS, OBJECT, EXTERNAL, CPU), id="every-source"),
        pytest.param(autoscaler(CPU, behavior={"scaleDown": {"selectPolicy": "Min"}}), id="behavior"),
        pytest.param({**autoscaler(CPU), "status": {"conditions": [{"type": "AbleToScale", "status": "True"}],
                      "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu",
                                          "current": {"averageUtilization": 5, "averageValue": "1m"}}}]}}, id="status"),
    ],
)  # fmt: skip
def test_autoscaler_there_and_back(obj: dict[str, Any]) -> None:
    old = schema.convert(obj, "autoscaling/v1")
    assert old["apiVersion"] == "autoscaling/v1"
    assert schema.check(schema.definition(("autoscaling", "v1", old["kind"])) or {}, old) == ([], [])
    assert schema.convert(old, "autoscaling/v2") == obj


def test_cpu_target_is_a_field_of_its_own_in_v1() -> None:
    old = schema.convert(autoscaler(CPU), "autoscaling/v1")
    assert old["spec"] == {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50}
    assert "annotations" not in old["metadata"]


def test_event_there_and_back() -> None:
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": {"kind": "Pod"},
        "message": "m", "source": {"component": "c"}, "firstTimestamp": "2024-01-01T00:00:00Z", "count": 2,
        "reportingComponent": "r", "type": "Normal",
    }  # fmt: skip
    new = schema.convert(event, "events.k8s.io/v1")
    assert new["regarding"] == {"kind": "Pod"}
    assert (new["note"], new["deprecatedCount"], new["reportingController"]) == ("m", 2, "r")
    assert schema.check(schema.definition(("events.k8s.io", "v1", "Event")) or {}, new) == ([], [])
    assert schema.convert(new, "v1") == event


def test_the_same_version_is_the_same_object() -> None:
    obj = autoscaler(CPU)
    assert schema.convert(obj, "autoscaling/v2") is obj
