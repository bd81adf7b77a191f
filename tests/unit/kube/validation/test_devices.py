"""Devices: the expressions of selectors, request policies of shared capacity, whole specs in refusals."""

import copy
from typing import Any

import pytest

from kybern.kube import schema
from kybern.kube.field import _quote
from kybern.kube.go_struct import go_struct, same_struct
from kybern.kube.validation import validate_create, validate_subresource_update, validate_update

GROUP = "resource.k8s.io"
META = {"name": "x", "namespace": "n"}
POOL = {"name": "p", "generation": 1, "resourceSliceCount": 1}
RESULT = {"request": "r", "driver": "d", "pool": "p", "device": "x"}


def errors(kind: str, obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    info = schema.kind(GROUP, "v1", kind)
    assert info is not None
    metadata = META if info.namespaced else {"name": "x"}
    whole = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, **obj}
    if old is None:
        return [str(error) for error in validate_create(info, whole)]
    return [str(error) for error in validate_update(info, whole, {**whole, **old})]


def selector(expression: str) -> dict[str, Any]:
    return {"spec": {"selectors": [{"cel": {"expression": expression}}]}}


AT = "spec.selectors[0].cel.expression"
SELECTORS = [
    ("device.driver == 'd'", None),
    ("device.attributes['a'].b", None),
    ("cel.bind(x, device.attributes['a'], x.b == 1)", None),
    ("device.driver", f'{AT}: Invalid value: "device.driver": must evaluate to bool or the unknown type, not string'),
    ("dyn(1)", f'{AT}: Invalid value: "dyn(1)": must evaluate to bool or the unknown type, not dyn'),
    ("true" * 3000, f"{AT}: Too long: may not be more than 10240 bytes"),
    (
        "device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, device.attributes.all(d, a==d))))",
        f"{AT}: Forbidden: too complex, exceeds cost limit",
    ),
]


@pytest.mark.parametrize(("expression", "wrong"), SELECTORS, ids=[row[0][:30] for row in SELECTORS])
def test_selectors_are_compiled(expression: str, wrong: str | None) -> None:
    assert errors("DeviceClass", selector(expression)) == ([] if wrong is None else [wrong])


def test_selectors_know_the_types_of_devices() -> None:
    (error,) = errors("DeviceClass", selector("device.capacity['a'].b > 1"))
    assert "no matching overload for '_>_' applied to '(kubernetes.Quantity, int)'" in error


POLICIES: list[tuple[dict[str, Any], list[str]]] = [
    ({"default": "1", "validValues": ["1", "2"]}, []),
    ({"default": "1", "validRange": {"min": "1", "max": "3", "step": "2"}}, []),
    ({"validValues": ["1"]}, ["default: Required value: required when validValues is defined"]),
    ({"default": "1", "validValues": ["2", "1"]},
     ['validValues[1]: Invalid value: "1": values must be sorted in ascending order']),
    ({"default": "1", "validValues": ["1", "8Gi"]},
     ['validValues[1]: Invalid value: "8Gi": option is larger than capacity value: 4Gi']),
    ({"default": "3", "validRange": {"min": "3", "max": "2"}},
     ['validRange.max: Invalid value: "3": min is larger than max: 2',
      'validRange.max: Invalid value: "3": default is more than max: 2']),
    ({"default": "2", "validRange": {"min": "1", "step": "2"}},
     ['validRange.step: Invalid value: "2": value is not a multiple of a given step (2) from (1)']),
    ({"default": "1", "validRange": {"min": "1", "step": "8Gi"}},
     ['validRange.step: Invalid value: "8Gi": one step 8589934593 is larger than capacity value: 4Gi']),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "wrong"), POLICIES)
def test_request_policies(policy: dict[str, Any], wrong: list[str]) -> None:
    device = {
        "name": "d",
        "allowMultipleAllocations": True,
        "capacity": {"m": {"value": "4Gi", "requestPolicy": policy}},
    }
    found = errors("ResourceSlice", {"spec": {"driver": "d", "pool": POOL, "nodeName": "n", "devices": [device]}})
    assert found == [f"spec.devices[0].capacity[m].requestPolicy.{line}" for line in wrong]


def test_a_claim_that_changes_is_shown_as_the_internal_struct() -> None:
    spec: Any = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c", "adminAccess": False}}]}}
    other = copy.deepcopy(spec)
    del other["devices"]["requests"][0]["exactly"]["adminAccess"]
    (error,) = errors("ResourceClaim", {"spec": spec}, {"spec": other})
    assert error == (
        'spec: Invalid value: {"Devices":{"Requests":[{"Name":"r","Exactly":{"DeviceClassName":"c","Selectors":null,'
        '"AllocationMode":"","Count":0,"AdminAccess":false,"Tolerations":null,"Capacity":null},"FirstAvailable":null}],'
        '"Constraints":null,"Config":null}}: field is immutable'
    )


def test_embedded_structs_lend_their_members() -> None:
    value = {"metadata": {"labels": {"a": "b"}}, "spec": {"devices": {"config": [{"opaque": {"driver": "d"}}]}}}
    assert _quote(go_struct("k8s.io.api.resource.v1.ResourceClaimTemplateSpec", value)) == (
        '{"labels":{"a":"b"},"Spec":{"Devices":{"Requests":null,"Constraints":null,'
        '"Config":[{"Requests":null,"Opaque":{"Driver":"d","Parameters":null}}]}}}'
    )


@pytest.mark.parametrize(
    ("new", "old", "same"),
    [({"A": None}, {"A": []}, True), ({"A": None}, {"A": False}, False), ({"A": [1]}, {"A": [1]}, True)],
)
def test_a_pointer_to_zero_is_something(new: Any, old: Any, same: bool) -> None:
    assert same_struct(new, old) is same


STATUSES: list[tuple[dict[str, Any], list[str]]] = [
    ({"bindingConditions": ["a"]},
     ["bindingFailureConditions: Invalid value: null: bindingFailureConditions are required to use bindingConditions"]),
    ({"bindingConditions": ["a"], "bindingFailureConditions": ["a"]},
     ['bindingFailureConditions[0]: Invalid value: "a": '
      "bindingFailureConditions must not overlap with bindingConditions"]),
    ({"shareID": "x"}, ['shareID: Invalid value: "x": error validating uid: invalid UUID length: 1']),
]  # fmt: skip


@pytest.mark.parametrize(("more", "wrong"), STATUSES)
def test_allocations(more: dict[str, Any], wrong: list[str]) -> None:
    info = schema.kind(GROUP, "v1", "ResourceClaim")
    assert info is not None
    old = {"metadata": META, "spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}}}
    new = {**old, "status": {"allocation": {"devices": {"results": [{**RESULT, **more}]}}}}
    found = [str(error) for error in validate_subresource_update(info, "status", new, old)]
    assert found == [f"status.allocation.devices.results[0].{line}" for line in wrong]
