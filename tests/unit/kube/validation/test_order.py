"""In which order Kubernetes comes across what is wrong."""

from typing import Any

import pytest

from kybern.kube import schema
from kybern.kube.cel.policy_checks import check_mutating, check_validating
from kybern.kube.validation import validate_create
from kybern.kube.validation.admission_policy import in_order

CHECKS = {"ValidatingAdmissionPolicy": check_validating, "MutatingAdmissionPolicy": check_mutating}
TABLE: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "validations": ("ValidatingAdmissionPolicy", {
        "failurePolicy": "X", "paramKind": {}, "matchConditions": [{"name": "a", "expression": "x"}],
        "variables": [{"name": "v", "expression": "x"}], "auditAnnotations": [{"key": "k", "valueExpression": "x"}],
        "validations": [{"expression": "x", "messageExpression": "x", "message": " ", "reason": "X"}, {}],
    }, ["failurePolicy", "paramKind.apiVersion", "paramKind.kind", "matchConstraints", "matchConditions[0].expression",
        "variables[0].expression", "validations[0].expression", "validations[0].messageExpression",
        "validations[0].message", "validations[0].reason", "validations[1].expression",
        "auditAnnotations[0].valueExpression"]),
    "mutations": ("MutatingAdmissionPolicy", {
        "reinvocationPolicy": "X", "variables": [{"name": "v", "expression": "x"}],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "x"}}, {"patchType": "X"}],
    }, ["matchConstraints", "variables[0].expression", "mutations[0].jsonPatch.expression", "mutations[1].patchType",
        "reinvocationPolicy"]),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_policies(name: str) -> None:
    kind, spec, wanted = TABLE[name]
    info = schema.kind("admissionregistration.k8s.io", "v1", kind)
    assert info is not None
    policy = {"apiVersion": info.api_version, "kind": kind, "metadata": {"name": "p"}, "spec": spec}
    errors = in_order([*validate_create(info, policy), *CHECKS[kind](policy)])
    assert [error.field.removeprefix("spec.") for error in errors] == wanted
