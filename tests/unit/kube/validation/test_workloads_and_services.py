"""StatefulSets and Services: what their templates, updates and ports are told of, and in which order."""

from typing import Any

import pytest

from kybern.kube.validation.service import service_warnings, validate_service, validate_service_update
from kybern.kube.validation.stateful_set import validate_stateful_set, validate_stateful_set_update

Object = dict[str, Any]
POD = {
    "containers": [
        {
            "name": "c", "image": "i", "imagePullPolicy": "Always",
            "terminationMessagePolicy": "File",
        }
    ],
    "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 1,
}  # fmt: skip


def stateful_set(pod: Object | None = None, labels: Object | None = None, claim: Object | None = None) -> Object:
    template = {"metadata": {"labels": {"a": "b", **(labels or {})}}, "spec": {**POD, **(pod or {})}}
    spec: Object = {"selector": {"matchLabels": {"a": "b"}}, "template": template, "podManagementPolicy": "Parallel"}
    claims = [{"metadata": {"name": "v"}, "spec": {}, **(claim or {})}]
    return {"spec": {**spec, "updateStrategy": {"type": "OnDelete"}, "volumeClaimTemplates": claims}}


@pytest.mark.parametrize(
    ("obj", "wanted"),
    [
        (stateful_set(), []),
        (stateful_set({"hostname": "B!", "subdomain": "B!"}), []),
        (stateful_set({"activeDeadlineSeconds": 1}), ["spec.template.spec.activeDeadlineSeconds"]),
        (stateful_set(labels={"x": "!"}), ["spec.template.labels"] * 2),
    ],
)
def test_templates_of_stateful_sets(obj: Object, wanted: list[str]) -> None:
    errors = [*validate_stateful_set(obj)]
    assert [error.field for error in errors] == wanted
    assert all("ReplicaSet" not in error.detail for error in errors)


@pytest.mark.parametrize(
    ("claim", "refused"),
    [
        ({}, False),
        ({"kind": "x", "apiVersion": "y"}, False),
        ({"metadata": {"name": "w"}}, True),
        ({"metadata": {"name": "v", "deletionGracePeriodSeconds": 0}}, True),
        ({"spec": {"storageClassName": ""}}, True),
    ],
)
def test_claims_of_stateful_sets_stay(claim: Object, refused: bool) -> None:
    assert [e.field for e in validate_stateful_set_update(stateful_set(claim=claim), stateful_set())] == [
        "spec"
    ] * refused


def service(**spec: Any) -> Object:
    ports = [{"port": 80, "targetPort": 80, "protocol": "TCP"}]
    return {"spec": {"ports": ports, "sessionAffinity": "None", "type": "LoadBalancer", **spec}}


LOCAL = {"externalTrafficPolicy": "Local"}


@pytest.mark.parametrize("port", [-1, 70000])
def test_health_ports_are_ports(port: int) -> None:
    (error,) = validate_service(service(**LOCAL, healthCheckNodePort=port))
    assert str(error) == (f"spec.healthCheckNodePort: Invalid value: {port}: must be between 1 and 65535, inclusive")
    old = service(**LOCAL, healthCheckNodePort=30001)
    errors = validate_service_update(service(**LOCAL, healthCheckNodePort=port), old)
    assert [error.type.name for error in errors] == ["FORBIDDEN", "INVALID"]


def test_classes_are_told_before_traffic() -> None:
    errors = validate_service(service(**LOCAL, type="ClusterIP", loadBalancerClass="a/b"))
    assert [error.field for error in errors] == ["spec.loadBalancerClass", "spec.externalTrafficPolicy"]


def test_warnings_are_in_order() -> None:
    warnings = service_warnings(service(type="ClusterIP", externalIPs=["1.2.3.4"], externalName="a.b"), None)
    assert [warning.split()[0] for warning in warnings] == ["spec.externalIPs", "spec.externalName"]
