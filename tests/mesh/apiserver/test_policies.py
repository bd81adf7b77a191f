# ruff: noqa: E501 (a message of upstream's stays in one piece)
"""Admission policies in CEL, as a write meets them."""

import asyncio
from typing import Any

import orjson
import pytest

from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, Resource
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.protos.api.v1.objects_pb2_grpc import ObjectsStub

GROUP = "admissionregistration.k8s.io"


def _resource(plural: str, kind: str) -> Resource:
    return Resource(GROUP, "v1", plural, kind, namespaced=False)


VALIDATING = _resource("validatingadmissionpolicies", "ValidatingAdmissionPolicy")
VALIDATING_BINDINGS = _resource("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding")
DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
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


async def test_a_policy_that_nests_deeply(admin: Client) -> None:
    sizes = " + ".join(["object.data.size()"] * 100)
    await validate(admin, {"expression": f"{sizes} > 100", "messageExpression": "'no' + " * 100 + "'!'"})
    error = await refused(admin.create(CONFIG_MAPS, config_map("one", a="1")))
    assert error.message.endswith("no" * 100 + "!")
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


async def test_reasons_messages_and_errors(admin: Client) -> None:
    await validate(
        admin,
        {"expression": "!has(object.data.teapot)", "message": "no teapots", "reason": "Forbidden"},
        {"expression": "object.data['number'] != '1'"},
    )
    error = await refused(admin.create(CONFIG_MAPS, config_map("a", teapot="1", number="2")))
    assert (error.code, error.reason) == (403, "Forbidden")
    assert error.message.endswith("denied request: no teapots")
    error = await refused(admin.create(CONFIG_MAPS, config_map("b", number="1")))
    assert error.message.endswith("denied request: failed expression: object.data['number'] != '1'")
    error = await refused(admin.create(CONFIG_MAPS, config_map("c", x="1")))
    assert error.message.endswith(
        "denied request: expression 'object.data['number'] != '1'' resulted in error: no such key: number"
    )


async def test_metrics(cluster: Any, admin: Client) -> None:
    await validate(admin, {"expression": "object.metadata.name != 'bad'"}, actions=("Deny", "Audit"))
    await mutate(admin, ("JSONPatch", "[JSONPatch{op: 'add', path: '/data', value: {'a': object.missing}}]"), name="m")
    await refused(admin.create(CONFIG_MAPS, config_map("a")))
    await admin.delete(MUTATING_BINDINGS, "m")
    await admin.create(CONFIG_MAPS, config_map("a"))
    await refused(admin.create(CONFIG_MAPS, config_map("bad")))
    value = cluster.telemetry.registry.get_sample_value
    prefix, labels = "apiserver_validating_admission_policy_check_total", {"policy": "p", "policy_binding": "b"}
    counts = {
        action: value(prefix, {**labels, "error_type": "invalid_error", "enforcement_action": action})
        for action in ("allow", "deny", "audit", "warn")
    }
    assert counts == {"allow": None, "deny": 1.0, "audit": 1.0, "warn": None}, "a yes is not counted"
    labels = {"policy": "m", "policy_binding": "m", "error_type": "invalid_error"}
    assert value("apiserver_mutating_admission_policy_check_total", labels) == 1.0


async def test_failure_policy_ignore(admin: Client) -> None:
    await validate(admin, {"expression": "object.missing == 1"}, {"expression": "false"}, failurePolicy="Ignore")
    error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
    assert error.message.endswith("failed expression: false")


async def test_warnings_and_audit(cluster: Any, admin: Client) -> None:
    await validate(
        admin,
        {"expression": "object.metadata.name != 'bad'", "message": "bad name"},
        actions=("Warn", "Audit"),
        auditAnnotations=[
            {"key": "name", "valueExpression": "'made ' + string(object.metadata.name)"},
            {"key": "nothing", "valueExpression": "null"},
        ],
    )
    seen: list[Any] = []
    admission = cluster.server.admission
    validating = admission.validate

    async def watched(request: Any, *rest: Any) -> None:
        await validating(request, *rest)
        seen.append(request)

    admission.validate = watched
    response = await created(cluster, config_map("bad", a="b"))
    assert list(response.warnings) == ["Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': bad name"]
    notes = seen[-1].audit_annotations
    assert notes["p/name"] == "made bad"
    assert "p/nothing" not in notes
    assert orjson.loads(notes["validation.policy.admission.k8s.io/validation_failure"]) == [
        {
            "message": "bad name",
            "policy": "p",
            "binding": "b",
            "expressionIndex": 0,
            "validationActions": ["Warn", "Audit"],
        }
    ]


async def test_expressions_without_a_value_follow_the_binding(cluster: Any, admin: Client) -> None:
    await validate(admin, {"expression": "object.missing == 1"}, actions=("Warn",))
    response = await created(cluster, config_map("a"))
    said = "expression 'object.missing == 1' resulted in error: no such key: missing"
    assert list(response.warnings) == [f"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': {said}"]
    broken = [{"key": "k", "valueExpression": "string(object.missing)"}]
    await admin.patch(VALIDATING, "p", patch={"spec": {"auditAnnotations": broken}})
    error = await refused(admin.create(CONFIG_MAPS, config_map("b")))  # annotations have no actions
    assert error.message.endswith("expression 'string(object.missing)' resulted in error: no such key: missing")


async def created(cluster: Any, obj: dict[str, Any]) -> pb.CreateResponse:
    stub = ObjectsStub(cluster.channel("admin", "system:masters"))
    resource = pb.Resource(group="", version="v1", resource="configmaps", namespace="default")
    return await stub.Create(pb.CreateRequest(resource=resource, object=orjson.dumps(obj)))


async def test_what_policies_speak_of(admin: Client, cluster: Any) -> None:
    await validate(
        admin,
        {"expression": "request.operation in ['CREATE', 'UPDATE', 'DELETE']"},
        {"expression": "request.operation != 'UPDATE' || oldObject.data.v <= object.data.v", "message": "must grow"},
        {"expression": "request.operation != 'DELETE' || object == null && oldObject.metadata.name == request.name"},
        {"expression": "namespaceObject.metadata.name == request.namespace"},
        {"expression": "request.resource.resource == 'configmaps' && request.kind.kind == 'ConfigMap'"},
        {"expression": "request.userInfo.username == 'admin' && 'system:masters' in request.userInfo.groups"},
        {"expression": "variables.size < 3 && variables.late", "message": "too many"},
        {"expression": "authorizer.group('').resource('secrets').namespace('default').check('get').allowed()"},
        {"expression": "authorizer.requestResource.check('delete').allowed()"},
        {"expression": "!authorizer.serviceAccount('default', 'default').path('/metrics').check('get').allowed()"},
        variables=[
            {"name": "size", "expression": "object != null && has(object.data) ? object.data.size() : 0"},
            {"name": "late", "expression": "variables.size >= 0 ? true : object.not.there"},
        ],
    )
    made = await admin.create(CONFIG_MAPS, config_map("a", v="1"))
    await admin.update(CONFIG_MAPS, {**made, "data": {"v": "2"}})
    error = await refused(admin.patch(CONFIG_MAPS, "a", "default", patch={"data": {"v": "1"}}))
    assert error.message.endswith("must grow")
    error = await refused(admin.create(CONFIG_MAPS, config_map("b", a="1", b="2", c="3")))
    assert error.message.endswith("too many")
    await admin.delete(CONFIG_MAPS, "a", "default")


async def test_match_conditions_and_selectors(admin: Client) -> None:
    await admin.create(NAMESPACES, {"metadata": {"name": "team", "labels": {"team": "yes"}}})
    await validate(
        admin,
        {"expression": "false"},
        matchConditions=[{"name": "not-me", "expression": "object.metadata.name != 'spared'"}],
        match={
            "namespaceSelector": {"matchLabels": {"team": "yes"}},
            "excludeResourceRules": [{**CONFIG_MAP_RULE, "resourceNames": ["excluded"]}],
        },
        binding={
            "matchResources": {"objectSelector": {"matchExpressions": [{"key": "free", "operator": "DoesNotExist"}]}}
        },
    )
    await admin.create(CONFIG_MAPS, config_map("elsewhere"))
    for name, labels in (("spared", {}), ("excluded", {}), ("free", {"free": "1"})):
        obj = config_map(name, labels)
        await admin.create(CONFIG_MAPS, {**obj, "metadata": {**obj["metadata"], "namespace": "team"}})
    obj = config_map("caught")
    await refused(admin.create(CONFIG_MAPS, {**obj, "metadata": {**obj["metadata"], "namespace": "team"}}))


async def test_a_match_condition_without_a_value(admin: Client) -> None:
    conditions = [{"name": "broken", "expression": "object.missing.field == 1"}]
    await validate(admin, {"expression": "true"}, matchConditions=conditions)
    error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
    assert error.message.endswith(
        "denied request: expression 'object.missing.field == 1' resulted in error: no such key: missing"
    )


async def test_equivalent_versions(admin: Client) -> None:
    scaler = {
        "metadata": {"name": "s", "namespace": "default"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}},
    }
    rule = {"operations": ["*"], "apiGroups": ["autoscaling"], "apiVersions": ["v1"], "resources": ["*"]}
    await validate(admin, {"expression": "object.apiVersion != 'autoscaling/v1'"}, match={"resourceRules": [rule]})
    v2 = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
    await refused(admin.create(v2, scaler))
    policy = await admin.get(VALIDATING, "p")
    policy["spec"]["matchConstraints"]["matchPolicy"] = "Exact"
    await admin.update(VALIDATING, policy)
    await admin.create(v2, scaler)


PARAM_KIND = {"apiVersion": "v1", "kind": "ConfigMap"}


async def test_params_by_name(admin: Client) -> None:
    await admin.create(CONFIG_MAPS, config_map("limits", most="2"))
    await validate(
        admin,
        {"expression": "!has(object.data) || object.data.size() <= int(params.data.most)", "message": "over"},
        paramKind=PARAM_KIND,
        matchConditions=[{"name": "not-params", "expression": "object.metadata.name != 'limits'"}],
        binding={"paramRef": {"name": "limits", "namespace": "default", "parameterNotFoundAction": "Deny"}},
    )
    await admin.create(CONFIG_MAPS, config_map("a", x="1"))
    error = await refused(admin.create(CONFIG_MAPS, config_map("b", x="1", y="2", z="3")))
    assert error.message.endswith("denied request: over")
    await admin.patch(CONFIG_MAPS, "limits", "default", patch={"data": {"most": "3"}})
    await admin.create(CONFIG_MAPS, config_map("b", x="1", y="2", z="3"))


async def test_params_not_found(admin: Client) -> None:
    ref = {"name": "limits", "parameterNotFoundAction": "Deny"}
    await validate(admin, {"expression": "params.data.x == 'y'"}, paramKind=PARAM_KIND, binding={"paramRef": ref})
    error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
    assert error.message.endswith(
        "denied request: failed to configure binding: no params found for policy binding with `Deny` "
        "parameterNotFoundAction"
    )
    ref["parameterNotFoundAction"] = "Allow"
    await admin.patch(VALIDATING_BINDINGS, "b", patch={"spec": {"paramRef": ref}})
    await admin.create(CONFIG_MAPS, config_map("a"))
    await admin.patch(
        VALIDATING, "p", patch={"spec": {"paramKind": {"apiVersion": "x.example.com/v1", "kind": "Nothing"}}}
    )
    error = await refused(admin.create(CONFIG_MAPS, config_map("b")))
    assert error.message.endswith(
        "ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'x.example.com/v1, Kind=Nothing'"
    )


async def test_params_by_selector_are_custom_objects(admin: Client) -> None:
    schema = {
        "type": "object",
        "properties": {"least": {"type": "integer"}},
        "x-kubernetes-preserve-unknown-fields": True,
    }
    names = {"plural": "limits", "singular": "limit", "kind": "Limit", "listKind": "LimitList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {"group": "x.example.com", "names": names, "scope": "Cluster", "versions": [version]}
    await admin.create(DEFINITIONS, {"metadata": {"name": "limits.x.example.com"}, "spec": spec})
    limits = Resource("x.example.com", "v1", "limits", "Limit", namespaced=False)
    await established(admin)
    for name, least in (("one", 1), ("two", 2), ("other", 9)):
        labels = {} if name == "other" else {"use": "me"}
        await admin.create(limits, {"metadata": {"name": name, "labels": labels}, "least": least})
    await validate(
        admin,
        {"expression": "object.data.size() >= params.least", "messageExpression": "'needs %d'.format([params.least])"},
        paramKind={"apiVersion": "x.example.com/v1", "kind": "Limit"},
        binding={"paramRef": {"selector": {"matchLabels": {"use": "me"}}, "parameterNotFoundAction": "Deny"}},
    )
    error = await refused(admin.create(CONFIG_MAPS, config_map("a", x="1")))
    assert error.message.endswith("denied request: needs 2")
    await admin.create(CONFIG_MAPS, config_map("a", x="1", y="2"))


async def established(admin: Client) -> None:
    async with asyncio.timeout(10):
        while True:
            status = (await admin.get(DEFINITIONS, "limits.x.example.com")).get("status") or {}
            if any(one["type"] == "Established" and one["status"] == "True" for one in status.get("conditions") or ()):
                return
            await asyncio.sleep(0.02)


async def test_policies_judge_webhooks_but_no_reviews(admin: Client) -> None:
    everything = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}
    await validate(admin, {"expression": "false"}, match={"resourceRules": [everything]})
    hooks = _resource("validatingwebhookconfigurations", "ValidatingWebhookConfiguration")
    assert "denied request" in (await refused(admin.create(hooks, {"metadata": {"name": "w"}}))).message
    group = "authorization.k8s.io"
    review = Resource(group, "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False)
    asked = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    assert (await admin.create(review, asked))["status"]["allowed"]


async def test_policies_do_not_judge_policies(admin: Client) -> None:
    everything = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    await validate(admin, {"expression": "false"}, match={"resourceRules": [everything]})
    await refused(admin.create(CONFIG_MAPS, config_map("a")))
    await admin.delete(VALIDATING, "p")
    await admin.create(CONFIG_MAPS, config_map("a"))


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "syntax": (
        {"validations": [{"expression": "object.x ="}]},
        'spec.validations[0].expression: Invalid value: "object.x =": compilation failed: ERROR: <input>:1:10: Syntax',
    ),
    "not bool": (
        {"validations": [{"expression": "1 + 1"}]},
        'spec.validations[0].expression: Invalid value: "1 + 1": must evaluate to bool but got int',
    ),
    "message": (
        {"validations": [{"expression": "true", "messageExpression": "1"}]},
        'spec.validations[0].messageExpression: Invalid value: "1": must evaluate to string but got int',
    ),
    "no authorizer in messages": (
        {"validations": [{"expression": "true", "messageExpression": "authorizer.path('/').check('get').reason()"}]},
        "undeclared reference to 'authorizer'",
    ),
    "params without paramKind": (
        {"validations": [{"expression": "params.x == 1"}]},
        "undeclared reference to 'params'",
    ),
    "nothing to say": (
        {"validations": []},
        "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
    ),
    "variables in order": (
        {"variables": [{"name": "a", "expression": "variables.b"}, {"name": "b", "expression": "1"}]},
        'spec.variables[0].expression: Invalid value: "variables.b": compilation failed: ERROR: <input>:1:10: undefined',
    ),
    "name of a variable": (
        {"variables": [{"name": "a-b", "expression": "1"}]},
        'spec.variables[0].name: Invalid value: "a-b": must be a valid CEL identifier',
    ),
    "condition": (
        {"matchConditions": [{"name": "c", "expression": "'x'"}]},
        'spec.matchConditions[0].expression: Invalid value: "\'x\'": must evaluate to bool but got string',
    ),
    "conditions know no variables": (
        {"variables": [{"name": "a", "expression": "1"}], "matchConditions": [{"name": "c", "expression": "variables.a == 1"}]},
        "undeclared reference to 'variables",
    ),
    "annotation": (
        {"auditAnnotations": [{"key": "k", "valueExpression": "1"}]},
        'spec.auditAnnotations[0].valueExpression: Invalid value: "1": must evaluate to one of [string null_type] but got int',
    ),
    "reason": (
        {"validations": [{"expression": "true", "reason": "Teapot"}]},
        'spec.validations[0].reason: Unsupported value: "Teapot"',
    ),
    "no rules": ({"matchConstraints": {}}, "spec.matchConstraints.resourceRules: Required value"),
}  # fmt: skip


@pytest.mark.parametrize("name", INVALID)
async def test_invalid_policies(name: str, admin: Client) -> None:
    spec, message = INVALID[name]
    whole = {"matchConstraints": {"resourceRules": [CONFIG_MAP_RULE]}, "validations": [{"expression": "true"}], **spec}
    error = await refused(admin.create(VALIDATING, {"metadata": {"name": "p"}, "spec": whole}))
    assert error.code == 422
    assert message in error.message


async def test_invalid_bindings(admin: Client) -> None:
    spec = {"policyName": "p", "validationActions": ["Deny", "Warn", "Deny"], "paramRef": {"name": "a", "selector": {}}}
    error = await refused(admin.create(VALIDATING_BINDINGS, {"metadata": {"name": "b"}, "spec": spec}))
    fields = [cause["field"] for cause in error.details["causes"]]
    assert fields == [
        "spec.paramRef.name", "spec.paramRef.selector", "spec.paramRef.parameterNotFoundAction",
        "spec.validationActions[2]", "spec.validationActions",
    ]  # fmt: skip


async def test_mutations_of_deployments(admin: Client) -> None:
    sidecar = """Object{
        spec: Object.spec{
            template: Object.spec.template{
                spec: Object.spec.template.spec{
                    containers: [Object.spec.template.spec.containers{name: "sidecar", image: "sidecar:1"}]
                }
            },
            replicas: object.spec.replicas * params.data.factor.size()
        }
    }"""
    await admin.create(CONFIG_MAPS, config_map("factor", factor="xx"))
    ref = {"name": "factor", "parameterNotFoundAction": "Deny"}
    await mutate(
        admin,
        ("ApplyConfiguration", sidecar),
        ("JSONPatch", "[JSONPatch{op: 'test', path: '/spec/template/spec/containers/1/name', value: 'sidecar'}]"),
        match={"resourceRules": [DEPLOYMENT_RULE]},
        paramKind=PARAM_KIND,
        binding={"paramRef": ref},
    )
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    made = await admin.create(DEPLOYMENTS, {"metadata": {"name": "web", "namespace": "default"}, "spec": spec})
    assert made["spec"]["replicas"] == 4
    containers = made["spec"]["template"]["spec"]["containers"]
    assert [(one["name"], one["imagePullPolicy"]) for one in containers] == [
        ("web", "IfNotPresent"),
        ("sidecar", "IfNotPresent"),
    ]


MUTATIONS: dict[str, tuple[str, str, str]] = {
    "atomic": (
        "ApplyConfiguration",
        "Object{metadata: Object.metadata{ownerReferences: [Object.metadata.ownerReferences{name: 'x'}]}}",
        "resulted in error",
    ),
    "unknown field": ("ApplyConfiguration", "Object{spec: Object.spec{x: 1}}", "field not declared in schema"),
    "wrong type name": (
        "ApplyConfiguration", "Object{metadata: Object.spec{name: 'x'}}", 'unexpected type name "Object.spec"',
    ),
    "no such path": ("JSONPatch", "[JSONPatch{op: 'remove', path: '/data/x'}]", "JSON Patch: "),
    "error": ("JSONPatch", "[JSONPatch{op: object.nothing, path: '/data/x'}]", "no such key: nothing"),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in MUTATIONS if name != "atomic"])
async def test_mutations_that_fail(name: str, admin: Client) -> None:
    kind, expression, message = MUTATIONS[name]
    await mutate(admin, (kind, expression))
    error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
    assert (error.code, error.reason) == (403, "Invalid")
    assert error.message.startswith("policy 'p' with binding 'p' denied request: ")
    assert error.details["causes"] == [{"message": error.message}]
    assert message in error.message
    await admin.patch(MUTATING, "p", patch={"spec": {"failurePolicy": "Ignore"}})
    await admin.create(CONFIG_MAPS, config_map("a"))


async def test_atomic_lists_are_not_mutated(admin: Client) -> None:
    rule = {**CONFIG_MAP_RULE, "resources": ["pods"]}
    expression = "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'c', command: ['sh']}]}}"
    await mutate(admin, ("ApplyConfiguration", expression), match={"resourceRules": [rule]})
    spec = {"containers": [{"name": "c", "image": "c"}], "automountServiceAccountToken": False}
    error = await refused(admin.create(PODS, {"metadata": {"name": "a", "namespace": "default"}, "spec": spec}))
    assert "may not mutate atomic arrays, maps or structs: .spec.containers[0].command" in error.message


async def test_a_patch_whose_test_fails_is_not_applied(admin: Client) -> None:
    test = "JSONPatch{op: 'test', path: '/metadata/name', value: 'this'}"
    add = "JSONPatch{op: 'add', path: '/metadata/labels/added', value: 'yes'}"
    await mutate(admin, ("JSONPatch", f"[{test}, {add}]"))
    assert "added" in (await admin.create(CONFIG_MAPS, config_map("this", {"a": "b"})))["metadata"]["labels"]
    assert "added" not in (await admin.create(CONFIG_MAPS, config_map("that", {"a": "b"})))["metadata"]["labels"]


async def test_reinvocation(admin: Client) -> None:
    """The first policy sees what the second has done only if it asks to be called again."""
    count = "[JSONPatch{op: 'add', path: '/metadata/labels/first', value: string(object.metadata.labels.size())}]"
    add = "Object{metadata: Object.metadata{labels: {'second': 'yes'}}}"
    await mutate(admin, ("JSONPatch", count), name="a", reinvocationPolicy="Never")
    await mutate(admin, ("ApplyConfiguration", add), name="b")
    made = await admin.create(CONFIG_MAPS, config_map("x", {"app": "web"}))
    assert made["metadata"]["labels"] == {"app": "web", "first": "1", "second": "yes"}
    await admin.patch(MUTATING, "a", patch={"spec": {"reinvocationPolicy": "IfNeeded"}})
    made = await admin.create(CONFIG_MAPS, config_map("y", {"app": "web"}))
    assert made["metadata"]["labels"] == {"app": "web", "first": "3", "second": "yes"}


INVALID_MUTATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "not an object": (
        {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "object"}},
        'spec.mutations[0].applyConfiguration.expression: Invalid value: "object": must evaluate to Object but got dyn',
    ),
    "not a patch": (
        {"patchType": "JSONPatch", "jsonPatch": {"expression": "[1]"}},
        'spec.mutations[0].jsonPatch.expression: Invalid value: "[1]": must evaluate to list(JSONPatch) but got list(int)',
    ),
    "unknown member": (
        {"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{what: 'x'}]"}},
        "expected type of field 'what' is '' but provided type is 'string'",
    ),
    "types are named as they are written": (
        {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{spec: Object.spec{x: 1 + ''}}"}},
        " | Object{spec: Object.spec{x: 1 + ''}}\\n",
    ),
    "kind": ({"patchType": "Merge"}, 'spec.mutations[0].patchType: Unsupported value: "Merge"'),
}  # fmt: skip


@pytest.mark.parametrize("name", INVALID_MUTATIONS)
async def test_invalid_mutations(name: str, admin: Client) -> None:
    mutation, message = INVALID_MUTATIONS[name]
    spec = {
        "matchConstraints": {"resourceRules": [CONFIG_MAP_RULE]}, "mutations": [mutation], "reinvocationPolicy": "Never",
    }  # fmt: skip
    error = await refused(admin.create(MUTATING, {"metadata": {"name": "p"}, "spec": spec}))
    assert error.code == 422
    assert message in error.message.replace("\n", "\\n")


async def test_scale_is_judged_and_mutated(admin: Client) -> None:
    rule = {**DEPLOYMENT_RULE, "resources": ["deployments/scale"]}
    at_most = "object.spec.replicas > 3 ? [JSONPatch{op: 'add', path: '/spec/replicas', value: 3}] : []"
    await mutate(admin, ("JSONPatch", at_most), match={"resourceRules": [rule]})
    await validate(
        admin,
        {"expression": "object.kind == 'Scale' && object.spec.replicas != 2", "message": "not two"},
        {"expression": "request.subResource == 'scale'"},
        match={"resourceRules": [rule]},
    )
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    await admin.create(DEPLOYMENTS, {"metadata": {"name": "web", "namespace": "default"}, "spec": spec})
    scaled = {"spec": {"replicas": 9}}
    found = await admin.patch(DEPLOYMENTS, "web", "default", patch=scaled, subresource="scale")
    assert found["spec"]["replicas"] == 3
    scaled["spec"]["replicas"] = 2
    error = await refused(admin.patch(DEPLOYMENTS, "web", "default", patch=scaled, subresource="scale"))
    assert error.message.endswith("not two")
    await mutate(admin, ("ApplyConfiguration", "Object{}"), name="q", match={"resourceRules": [rule]})
    error = await refused(admin.patch(DEPLOYMENTS, "web", "default", patch=scaled, subresource="scale"))
    assert error.message.endswith("no corresponding type for autoscaling/v1, Kind=Scale")


async def test_custom_objects_are_mutated(admin: Client) -> None:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer"},
                    "parts": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {"name": {"type": "string"}, "n": {"type": "integer", "default": 7}},
                        },
                    },
                },
            }
        },
    }
    names = {"plural": "limits", "singular": "limit", "kind": "Limit", "listKind": "LimitList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {"group": "x.example.com", "names": names, "scope": "Cluster", "versions": [version]}
    await admin.create(DEFINITIONS, {"metadata": {"name": "limits.x.example.com"}, "spec": spec})
    await established(admin)
    limits = Resource("x.example.com", "v1", "limits", "Limit", namespaced=False)
    rule = {"operations": ["CREATE"], "apiGroups": ["x.example.com"], "apiVersions": ["*"], "resources": ["limits"]}
    expression = "Object{spec: Object.spec{size: object.spec.parts.size(), parts: [Object.spec.parts{name: 'b'}]}}"
    await mutate(admin, ("ApplyConfiguration", expression), match={"resourceRules": [rule]})
    made = await admin.create(limits, {"metadata": {"name": "a"}, "spec": {"parts": [{"name": "a", "n": 1}]}})
    assert made["spec"] == {"size": 1, "parts": [{"name": "a", "n": 1}, {"name": "b", "n": 7}]}


async def test_connections_and_evictions(admin: Client) -> None:
    rules = [
        {**CONFIG_MAP_RULE, "operations": ["CONNECT"], "resources": ["pods/exec"]},
        {**CONFIG_MAP_RULE, "operations": ["CREATE"], "resources": ["pods/eviction"]},
    ]
    await validate(
        admin,
        {"expression": "request.operation != 'CONNECT' || object.command[0] != 'sh'", "message": "no shells"},
        {"expression": "request.operation != 'CREATE' || request.kind.kind != 'Eviction'", "message": "it stays"},
        {"expression": "(request.options == null) == (request.operation == 'CONNECT')", "message": "odd options"},
        match={"resourceRules": rules},
    )
    await mutate(admin, ("JSONPatch", "true ? [] : [JSONPatch{}]"), match={"resourceRules": rules})
    spec = {"containers": [{"name": "c", "image": "c"}], "automountServiceAccountToken": False}
    await admin.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    connect = pb.ConnectRequest(
        resource=pb.Resource(version="v1", resource="pods", subresource="exec", namespace="default"),
        name="p",
        verb="create",
        query="container=c&command=sh",
    )
    error = await refused(admin.calls.call("connect", connect, "", 10))
    assert error.message.endswith("denied request: no shells")
    connect.query = "container=c&command=ls"
    assert "denied" not in (await refused(admin.calls.call("connect", connect, "", 10))).message
    eviction = {"metadata": {"name": "p", "namespace": "default"}}
    error = await refused(admin.create_subresource(PODS, "eviction", "p", eviction, "default"))
    assert error.message.endswith("denied request: it stays")


async def test_status_is_judged_apart(admin: Client) -> None:
    rule = {**CONFIG_MAP_RULE, "resources": ["pods/status"]}
    await validate(admin, {"expression": "false", "message": "no status"}, match={"resourceRules": [rule]})
    spec = {"containers": [{"name": "c", "image": "c"}], "automountServiceAccountToken": False}
    made = await admin.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    error = await refused(admin.update_status(PODS, {**made, "status": {"phase": "Running"}}))
    assert error.message.endswith("no status")


APPEND = "Object{data: {'n': (has(object.data.n) ? object.data.n : '') + 'LETTER'}}"
ROUNDS: dict[str, tuple[str, str]] = {  # letters of policies in order, in upper case if they may be invoked again
    "once": ("a", "a"), "it alone": ("A", "aa"), "the first": ("Ab", "aba"), "the last": ("aB", "abb"),
    "both": ("AB", "abab"),
}  # fmt: skip


@pytest.mark.parametrize("name", ROUNDS)
async def test_policies_are_invoked_again(name: str, admin: Client) -> None:
    """Once for all that ran: each that may be is invoked a second time."""
    letters, wanted = ROUNDS[name]
    for letter in letters:
        again = "IfNeeded" if letter.isupper() else "Never"
        text = APPEND.replace("LETTER", letter.lower())
        await mutate(admin, ("ApplyConfiguration", text), name=letter.lower(), reinvocationPolicy=again)
    made = await admin.create(CONFIG_MAPS, config_map("one", k="v"))
    assert made["data"]["n"] == wanted


async def test_each_mutation_fails_by_itself(admin: Client) -> None:
    bad = "Object{data: {'x': string(1/0)}}"
    texts = [APPEND.replace("LETTER", "a"), bad, APPEND.replace("LETTER", "b")]
    await mutate(admin, *[("ApplyConfiguration", text) for text in texts], failurePolicy="Ignore")
    assert (await admin.create(CONFIG_MAPS, config_map("one", k="v")))["data"] == {"k": "v", "n": "ab"}
    twice = [("ApplyConfiguration", bad), ("ApplyConfiguration", bad.replace("1/0", "2/0"))]
    await mutate(admin, *twice, name="q")
    error = await refused(admin.create(CONFIG_MAPS, config_map("two")))
    assert len(error.details["causes"]) == 2
    assert error.message == error.details["causes"][0]["message"]


async def test_what_a_policy_may_not_make_of_an_object(admin: Client) -> None:
    strange = [("uid", "x", 422), ("resourceVersion", "1", 409), ("namespace", "other", 400)]
    await admin.create(CONFIG_MAPS, config_map("one"))
    for member, value, code in strange:
        text = f"[JSONPatch{{op: 'add', path: '/metadata/{member}', value: '{value}'}}]"
        await mutate(admin, ("JSONPatch", text), name=member.lower())
        error = await refused(admin.patch(CONFIG_MAPS, "one", "default", patch={"data": {"a": "b"}}))
        assert (member, error.code) == (member, code)
        await admin.delete(MUTATING_BINDINGS, member.lower())
    await mutate(admin, ("JSONPatch", "[JSONPatch{op: 'add', path: '/nope', value: 1}]"), failurePolicy="Ignore")
    error = await refused(admin.create(CONFIG_MAPS, config_map("two")))
    assert (error.code, error.message) == (
        500,
        'Internal error occurred: strict decoding error: unknown field "nope"',
    )


async def test_server_side_apply_keeps_its_owners(admin: Client) -> None:
    """What a policy adds belongs to nobody; who applies keeps what he owns."""
    await mutate(admin, ("ApplyConfiguration", "Object{data: {'added': 'x'}}"))
    admin.field_manager = "me"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"mine": "1"}}
    made = await admin.patch(CONFIG_MAPS, "a", "default", patch=config, patch_type="application/apply-patch+yaml")
    assert made["data"] == {"mine": "1", "added": "x"}
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["fieldsV1"]) == ("me", {"f:data": {"f:mine": {}}})


async def test_dry_run_and_delete(admin: Client) -> None:
    await validate(
        admin,
        {"expression": "request.operation != 'DELETE' || oldObject.metadata.name != 'kept'", "message": "is kept"},
        {"expression": "request.operation != 'CREATE' || !request.dryRun", "message": "no dry runs"},
    )
    await admin.create(CONFIG_MAPS, config_map("kept"))
    error = await refused(admin.delete(CONFIG_MAPS, "kept", "default"))
    assert error.message.endswith("is kept")
    error = await refused(admin.create(CONFIG_MAPS, config_map("other"), dry_run=True))
    assert error.message.endswith("no dry runs")
    await refused(admin.delete_collection(CONFIG_MAPS, "default"))
    assert (await admin.get(CONFIG_MAPS, "kept", "default"))["metadata"]["name"] == "kept"
