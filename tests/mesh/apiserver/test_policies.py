"""Admission policies in CEL, as a write meets them."""

import asyncio
from typing import Any

import pytest

from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS, Resource
from kybern.kube.status import StatusError

GROUP = "admissionregistration.k8s.io"


def _resource(plural: str, kind: str) -> Resource:
    return Resource(GROUP, "v1", plural, kind, namespaced=False)


VALIDATING = _resource("validatingadmissionpolicies", "ValidatingAdmissionPolicy")
VALIDATING_BINDINGS = _resource("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding")
MUTATING = _resource("mutatingadmissionpolicies", "MutatingAdmissionPolicy")
MUTATING_BINDINGS = _resource("mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding")
CONFIG_MAP_RULE = {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}


async def refused(awaitable: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default", "labels": labels or {}}, "data": data}


async def validate(
    admin: Client, *validations: dict[str, Any], actions: tuple[str, ...] = ("Deny",), binding: Any = None, **spec: Any
) -> None:
    """A policy about config maps, and its binding."""
    constraints = {"resourceRules": [CONFIG_MAP_RULE]} | spec.pop("match", {})
    made = {"matchConstraints": constraints, "validations": list(validations), **spec}
    await admin.create(VALIDATING, {"metadata": {"name": "p"}, "spec": made})
    bound = {"policyName": "p", "validationActions": list(actions), **(binding or {})}
    await admin.create(VALIDATING_BINDINGS, {"metadata": {"name": "b"}, "spec": bound})


async def mutate(admin: Client, *mutations: tuple[str, str], name: str = "p", binding: Any = None, **spec: Any) -> None:
    """A policy about config maps (kind of patch, expression), and its binding."""
    constraints = {"resourceRules": [CONFIG_MAP_RULE]} | spec.pop("match", {})
    found = [
        {"patchType": kind, kind[:1].lower() + kind[1:] if kind != "JSONPatch" else "jsonPatch": {"expression": text}}
        for kind, text in mutations
    ]
    made = {"matchConstraints": constraints, "mutations": found, "reinvocationPolicy": "Never", **spec}
    await admin.create(MUTATING, {"metadata": {"name": name}, "spec": made})
    await admin.create(MUTATING_BINDINGS, {"metadata": {"name": name}, "spec": {"policyName": name, **(binding or {})}})


async def test_a_policy_denies(admin: Client) -> None:
    await validate(
        admin, {"expression": "object.data.size() > 1", "messageExpression": "'has ' + string(object.data.size())"}
    )
    error = await refused(admin.create(CONFIG_MAPS, config_map("one", a="1")))
    assert (error.code, error.reason) == (422, "Invalid")
    said = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: has 1"
    assert error.message == f'configmaps "one" is forbidden: {said}'
    assert error.details["causes"] == [{"message": said}]
    await admin.create(CONFIG_MAPS, config_map("two", a="1", b="2"))


async def test_a_policy_without_binding_says_nothing(admin: Client) -> None:
    await validate(admin, {"expression": "false"})
    await admin.delete(VALIDATING_BINDINGS, "b")
    await admin.create(CONFIG_MAPS, config_map("one"))


async def test_a_policy_mutates(admin: Client) -> None:
    await mutate(
        admin,
        ("ApplyConfiguration", 'Object{metadata: Object.metadata{labels: {"mutated": "yes"}}}'),
        (
            "JSONPatch",
            "[JSONPatch{op: 'add', path: '/data/' + jsonpatch.escapeKey('a.b'), value: object.metadata.name}]",
        ),
    )
    made = await admin.create(CONFIG_MAPS, config_map("one", labels={"app": "web"}, x="y"))
    assert made["metadata"]["labels"] == {"app": "web", "mutated": "yes"}
    assert made["data"] == {"x": "y", "a.b": "one"}


DEPLOYMENT_RULE = {
    "operations": ["CREATE", "UPDATE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"],
}  # fmt: skip


async def checked(admin: Client, name: str = "p") -> dict[str, Any]:
    """The policy's type checking, once it is done."""
    async with asyncio.timeout(10):
        while True:
            status = (await admin.get(VALIDATING, name)).get("status") or {}
            if "typeChecking" in status:
                assert status["observedGeneration"] >= 1
                return status["typeChecking"]
            await asyncio.sleep(0.02)


async def test_a_policy_is_type_checked(admin: Client) -> None:
    match = {"resourceRules": [DEPLOYMENT_RULE]}
    await validate(admin, {"expression": "object.spec.replicas > 1"}, match=match)
    assert await checked(admin) == {}


async def test_type_checking_warns(admin: Client) -> None:
    await validate(
        admin,
        {
            "expression": "object.spec.replicas > '1'",
            "messageExpression": "'wants replicas > 1, got ' + object.spec.replicas",
        },
        {"expression": "variables.r > 1 && object.spec.replica > 1"},
        variables=[{"name": "r", "expression": "object.spec.replicas"}],
        match={"resourceRules": [DEPLOYMENT_RULE]},
    )
    first, second, third = (await checked(admin))["expressionWarnings"]
    assert first["fieldRef"] == "spec.validations[0].expression"
    assert first["warning"].startswith("apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload")
    assert "'_>_' applied to '(int, string)'" in first["warning"]
    assert second["fieldRef"] == "spec.validations[0].messageExpression"
    assert "found no matching overload for '_+_' applied to '(string, int)'" in second["warning"]
    assert "undefined field 'replica'" in third["warning"]
