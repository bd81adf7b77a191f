# ruff: noqa: E501 (expressions stay in one piece)
"""The expressions of policies: variables by type and lazily, objects that mutations write, type checking of kinds."""

from typing import Any

import pytest

from kybern.kube.cel import Answer, Authorizer, Budget, CompileError, EvaluationError, type_checks
from kybern.kube.cel.literals import to_object, to_operations
from kybern.kube.cel.policy import Composition, Scope, Variables
from kybern.kube.cel.policy_checks import check_mutating, check_validating, check_webhooks
from kybern.kube.rbac import Attributes

VALUES: dict[str, Any] = {
    "object": {"spec": {"replicas": 3}}, "oldObject": None, "request": {"operation": "CREATE"}, "namespaceObject": None,
    "params": None,
}  # fmt: skip


def test_variables_are_computed_once_and_only_when_asked_for() -> None:
    composition = Composition(Scope())
    composition.add("three", "object.spec.replicas")
    composition.add("twice", "variables.three * 2")
    composition.add("broken", "object.nothing")
    budget = Budget()
    variables = Variables(composition.programs, VALUES, budget)
    program = composition.compile("variables.twice == 6 && variables.three == 3")
    assert program.evaluate({**VALUES, "variables": variables}, budget) is True
    spent = budget.left
    assert variables.member("twice") == 6
    assert budget.left == spent
    for _ in range(2):
        with pytest.raises(
            EvaluationError, match='composited variable "broken" fails to evaluate: no such key: nothing'
        ):
            variables.member("broken")


def test_variables_have_types() -> None:
    composition = Composition(Scope())
    composition.add("names", "['a', 'b'].map(x, x + x)")
    composition.add("sizes", "{'a': 1}")
    assert str(composition.compile("variables.names[0]").result_type) == "string"
    assert str(composition.compile("variables.sizes['a']").result_type) == "int"
    with pytest.raises(CompileError, match=r"'_\+_' applied to '\(string, int\)'"):
        composition.compile("variables.names[0] + 1")
    with pytest.raises(CompileError, match="undefined field 'later'"):
        composition.compile("variables.later")


def test_the_authorizer_is_asked() -> None:
    asked: list[tuple[Attributes, str | None]] = []

    def ask(what: Attributes, account: str | None) -> Answer:
        asked.append((what, account))
        return Answer(what.verb == "get", "because")

    values = {**VALUES, "authorizer": Authorizer(ask, Attributes("", "apps", "deployments", "", "default", "web"))}
    values["authorizer.requestResource"] = values["authorizer"].member("requestResource")
    composition = Composition(Scope())
    checks = {
        "authorizer.group('apps').resource('deployments').subresource('scale').namespace('a').name('b').check('get').allowed()": (
            Attributes("get", "apps", "deployments", "scale", "a", "b"), None, True,
        ),
        "authorizer.path('/healthz').check('post').allowed()": (Attributes("post", path="/healthz"), None, False),
        "authorizer.requestResource.check('get').allowed()": (
            Attributes("get", "apps", "deployments", "", "default", "web"), None, True,
        ),
        "authorizer.serviceAccount('ns', 'sa').group('').resource('pods').check('get').reason() == 'because'": (
            Attributes("get", "", "pods"), "system:serviceaccount:ns:sa", True,
        ),
        "authorizer.group('').resource('pods').fieldSelector('a=b').check('list').errored()": (
            Attributes("list", "", "pods", fields=(("a", "In", ("b",)),)), None, False,
        ),
    }  # fmt: skip
    for expression, (what, account, answer) in checks.items():
        asked.clear()
        assert composition.compile(expression).evaluate(values) is answer
        assert asked == [(what, account)]
    broken = composition.compile("authorizer.serviceAccount('ns', 'A').path('/').check('get').allowed()")
    with pytest.raises(EvaluationError, match="Invalid service account name"):
        broken.evaluate(values)


def test_authorization_is_dear() -> None:
    values = {**VALUES, "authorizer": Authorizer(lambda what, account: Answer(True))}
    once = "authorizer.path('/').check('get').allowed()"
    assert Composition(Scope()).compile(f"{once} && {once}").evaluate(values) is True
    with pytest.raises(EvaluationError, match="actual cost limit exceeded"):
        Composition(Scope()).compile(f"{once} && {once} && {once}").evaluate(values)


def written(expression: str) -> Any:
    composition = Composition(Scope(), mutates=True)
    program = composition.compile(expression)
    return program.evaluate({**VALUES, "variables": Variables({}, VALUES, Budget())})


def test_objects_that_are_written() -> None:
    text = """Object{  // Object.spec{
        spec: Object.spec{replicas: object.spec.replicas + 1, ?paused: optional.none(), __namespace__: 'a', a__dash__b: 1},
        metadata: Object.metadata{annotations: {"Object.x{": "y"}}
    }"""
    assert to_object(written(text)) == {
        "spec": {"replicas": 4, "namespace": "a", "a-b": 1},
        "metadata": {"annotations": {"Object.x{": "y"}},
    }
    with pytest.raises(EvaluationError, match=r'type name "Object.status", expected "Object.spec"'):
        to_object(written("Object{spec: Object.status{replicas: 1}}"))
    with pytest.raises(EvaluationError, match=r'type name "Object.a", expected "Object.a.b"'):
        to_object(written("Object{a: Object.a{b: [Object.a{c: 1}]}}"))
    with pytest.raises(EvaluationError, match="must evaluate to Object but got map"):
        to_object(written("object"))


def test_patches_that_are_written() -> None:
    text = "[JSONPatch{op: 'add', path: '/' + jsonpatch.escapeKey('a~/'), value: {'at': dyn(duration('90s')), 'is': dyn(1u)}}, JSONPatch{op: 'remove', path: '/b'}]"
    assert to_operations(written(text)) == [
        {"op": "add", "path": "/a~0~1", "value": {"at": "90s", "is": 1}},
        {"op": "remove", "path": "/b"},
    ]
    with pytest.raises(EvaluationError, match="must evaluate to list of JSONPatch but got list of int"):
        to_operations([1])
    with pytest.raises(EvaluationError, match="must evaluate to list of JSONPatch but got map"):
        to_operations({})


def test_kinds_are_checked() -> None:
    rule = {"apiGroups": ["", "apps"], "apiVersions": ["v1"], "resources": ["pods", "deployments", "pods/exec", "*"]}
    wild = {"apiGroups": ["*"], "apiVersions": ["v1"], "resources": ["pods"]}
    spec = {
        "matchConstraints": {"resourceRules": [rule, wild]},
        "validations": [
            {"expression": "object.metadata.name == 'a'"},
            {"expression": "object.spec.replicas > 1"},
            {"expression": "object.spec.containers.all(c, c.image == '1' && c.ports[0].containerPort < 3)"},
            {"expression": "object.metadata.labels.x == '' && object.spec.volumes[0].hostPath.path == 1"},
        ],
    }
    assert [*type_checks.resources_named({"spec": spec})] == [[
        ("", "v1", "deployments"), ("", "v1", "pods"), ("apps", "v1", "deployments"), ("apps", "v1", "pods"),
    ]]  # fmt: skip
    pod, deployment = ("", "v1", "Pod"), ("apps", "v1", "Deployment")
    kinds = [(gvk, shape) for gvk in (deployment, pod) if (shape := type_checks.shape_of(gvk)) is not None]
    warnings = type_checks.expression_warnings({"spec": spec}, kinds, None)
    assert [one["fieldRef"] for one in warnings] == [f"spec.validations[{at}].expression" for at in (1, 2, 3)]
    assert warnings[0]["warning"].startswith("/v1, Kind=Pod: ERROR: <input>:1:12: undefined field 'replicas'")
    assert warnings[1]["warning"].startswith(
        "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'containers'"
    )
    assert "'_==_' applied to '(string, int)'" in warnings[2]["warning"]


MISTYPED = {
    "object == oldObject && object.metadata.creationTimestamp < timestamp(0)": "",
    "object.spec == object.status": "'(Deployment7.spec, Deployment7.status)'",
    "object.spec.template.spec.containers[0].resources.limits['cpu'] == '1'": "undefined field 'limits'",
    "object.metadata.managedFields[0].fieldsV1.x == 1": "undefined field 'x'",
    "object.metadata.managedFields[0].time == 1": "'(timestamp, int)'",
    "object.spec.strategy.rollingUpdate.maxSurge == 1": "",
}


@pytest.mark.parametrize("expression", MISTYPED)
def test_types_of_members(expression: str) -> None:
    """What has no type in a schema is no member; `object` and `oldObject` are of one type."""
    gvk = ("apps", "v1", "Deployment")
    shape = type_checks.shape_of(gvk)
    assert shape is not None
    spec = {"validations": [{"expression": expression}]}
    said = "".join(one["warning"] for one in type_checks.expression_warnings({"spec": spec}, [(gvk, shape)], None, 7))
    assert MISTYPED[expression] in said
    assert bool(said) == bool(MISTYPED[expression])


def test_a_kind_that_contains_itself() -> None:
    shape = type_checks.shape_of(("apiextensions.k8s.io", "v1", "CustomResourceDefinition"))
    assert shape is not None
    composition = Composition(Scope(object=shape))
    deep = "object.spec.versions[0].schema.openAPIV3Schema.properties['a'].properties['b'].not.type == 'string'"
    assert str(composition.compile(deep).result_type) == "bool"


def test_checks_find_every_error() -> None:
    conditions = [
        {"name": "a b", "expression": "1"},
        {"name": "x", "expression": ""},
        {"name": "x", "expression": "true"},
    ]
    spec = {
        "matchConditions": conditions,
        "variables": [{"name": "in", "expression": "1"}, {"name": "v", "expression": ""}],
        "validations": [{"expression": "x", "messageExpression": " "}],
    }
    fields = [error.field for error in check_validating({"metadata": {"name": "p"}, "spec": spec})]
    assert fields == [
        "spec.matchConditions[0].expression", "spec.matchConditions[0].name", "spec.matchConditions[1].expression",
        "spec.matchConditions[2].name", "spec.variables[0].name", "spec.variables[1].expression",
        "spec.validations[0].expression", "spec.validations[0].messageExpression",
    ]  # fmt: skip
    assert next(error.field for error in check_webhooks({"webhooks": [{"matchConditions": conditions}]})) == (
        "webhooks[0].matchConditions[0].expression"
    )
    mutation = {
        "patchType": "JSONPatch",
        "jsonPatch": {"expression": "object"},
    }
    errors = check_mutating({"spec": {"mutations": [mutation]}})
    assert [str(error) for error in errors] == [
        'spec.mutations[0].jsonPatch.expression: Invalid value: "object": must evaluate to list(JSONPatch) but got dyn',
    ]
