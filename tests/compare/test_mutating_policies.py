"""MutatingAdmissionPolicies put to work: what they make of objects, how they fail, when they are invoked again.

Kubernetes invokes policies in the order of a map: where several change one object, the order may not matter.
"""

from typing import Any

import pytest
from policy_cases import EVERY, NEW, OLD, PODS, Ask, Case, change, compare, mutating, rule
from same import Both
from test_validating_policies import ASKS, KINDS, MAP, MATCHES, PARAMETER, REFERENCES, ROWS, SCALERS, VERSIONS

Object = dict[str, Any]
KNOWN = [{"name": "d", "expression": "{'var':'1'}"}, {"name": "x", "expression": "1/0"}]
CONTAINERS = [
    {"name": "c", "image": "i", "env": [{"name": "E", "value": "1"}], "ports": [{"containerPort": 80}], "args": ["x"]},
    {"name": "d", "image": "j"},
]
POD = {
    "metadata": {"name": "p", "labels": {"a": "b"}},
    "spec": {"containers": CONTAINERS, "initContainers": [{"name": "i", "image": "i"}],
             "volumes": [{"name": "v", "emptyDir": {}}], "tolerations": [{"key": "k", "operator": "Exists"}]},
}  # fmt: skip
ON_PODS = {"matchConstraints": {"resourceRules": [rule("", "v1", "pods")]}}


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
@pytest.mark.parametrize("kind", ["configurations", "patches"])
def test_config_maps(both: Both, kind: str, policy: str) -> None:
    written = {"name": "o", "expression": "Object{data:{'from':'var'}}"}
    rows = ROWS[f"{kind} of config maps"]
    cases = {
        text: mutating(
            text, failurePolicy=policy, asks=EVERY if policy == "Fail" and at % 2 == 0 else [NEW],
            variables=[*KNOWN, *([written] if "variables.o" in text else [])],
        )
        for at, text in enumerate(rows if policy == "Fail" else rows[::3])
    }  # fmt: skip
    compare(both, f"{kind}-{policy.lower()}-", cases)


def test_pods(both: Both) -> None:
    rows = [*ROWS["configurations of pods"], *ROWS["patches of pods"]]
    asks: list[Ask] = [("POST", PODS + "?dryRun=All", POD)]
    compare(both, "pods-", {text: mutating(text, asks=asks, **ON_PODS) for text in rows})


RUN = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}], "nodeName": "n"}}
UNPLACED = {"metadata": {"name": "q"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
BINDING = {"metadata": {"name": "q"}, "target": {"kind": "Node", "name": "n"}}
SIZED = [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}]
EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
ADDED = {"name": "e", "image": "x"}
SUBRESOURCES: list[Ask] = [
    ("POST", PODS + "/p/eviction?dryRun=All", EVICTION),
    ("POST", PODS + "/q/binding?dryRun=All", BINDING), ("POST", PODS.replace("pods", "bindings?dryRun=All"), BINDING),
    ("PATCH", PODS + "/p/ephemeralcontainers?dryRun=All", {"spec": {"ephemeralContainers": [ADDED]}}),
    ("PATCH", PODS + "/p/resize?dryRun=All", {"spec": {"containers": SIZED}}),
    ("PATCH", PODS + "/p/status?dryRun=All", {"status": {"phase": "Running"}}),
    ("PATCH", DEPLOYMENTS := "/apis/apps/v1/namespaces/{ns}/deployments/d/scale?dryRun=All", {"spec": {"replicas": 4}}),
    ("PUT", DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": {"replicas": 5}}),
    ("PATCH", DEPLOYMENTS.replace("/scale", ""), {"spec": {"replicas": 3}}),
    ("PATCH", DEPLOYMENTS.replace("/scale", "/status"), {"status": {"replicas": 4}}),
]  # fmt: skip
LABELS = {"app": "web"}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
DEPLOYMENT = {
    "metadata": {"name": "d"},
    "spec": {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": TEMPLATE},
}
MADE: tuple[Ask, ...] = (
    ("POST", PODS, RUN), ("POST", PODS, UNPLACED), ("POST", "/apis/apps/v1/namespaces/{ns}/deployments", DEPLOYMENT)
)  # fmt: skip
OF_SUBRESOURCES = [
    "Object{}", "Object{metadata: Object.metadata{labels: {'l':'m'}}}", "Object{status: Object.status{message: 'm'}}",
    "Object{spec: Object.spec{nope: 1}}", "Object{spec: Object.spec{replicas: 9}}",
    "Object{target: Object.target{name: 'm'}}", "[JSONPatch{op:'add',path:'/metadata/labels',value:{'l':'m'}}]",
    "[JSONPatch{op:'add',path:'/spec/replicas',value:9}]", "[JSONPatch{op:'add',path:'/nope',value:1}]",
]  # fmt: skip


def test_subresources(both: Both) -> None:
    cases = {}
    for resources in (["*/*"], ["deployments/*", "pods/*"], ["deployments/scale"], ["deployments/status"]):
        about = {"resourceRules": [rule("*", "*", *resources)]}
        for text in OF_SUBRESOURCES if resources == ["*/*"] else OF_SUBRESOURCES[4::3]:
            case = mutating(text, matchConstraints=about, asks=SUBRESOURCES)
            cases[f"{resources} {text}"] = Case(case.policies, case.asks, MADE)
    compare(both, "sub-", cases)


APPEND = "Object{data: {'n': (has(object.data.n) ? object.data.n : '') + 'LETTER'}}"
LABEL = "Object{metadata: Object.metadata{labels: {'LETTER': '1'}}}"
BAD, BAD_TOO = "Object{data: {'x': string(1/0)}}", "Object{data: {'x': string(2/0)}}"
UNKNOWN = "[JSONPatch{op:'add',path:'/nope',value:1}]"
AGAIN = {"reinvocationPolicy": "IfNeeded"}
HAS_A = {"matchLabels": {"a": "1"}}
CONDITION = [{"name": "c", "expression": "has(object.metadata.labels) && 'a' in object.metadata.labels"}]


def several(*policies: tuple[list[str], Object], binding: Object | None = None) -> Case:
    specs = [{"mutations": [change(text) for text in texts], **more} for texts, more in policies]
    last = len(specs) - 1
    found = [("mutating", spec, [binding or {} if at == last else {}]) for at, spec in enumerate(specs)]
    return Case(found, [NEW], (OLD,))


def test_rounds(both: Both) -> None:
    x, y, label_a, label_b = (
        *(APPEND.replace("LETTER", one) for one in "xy"),
        *(LABEL.replace("LETTER", one) for one in "ab"),
    )
    about = {"resourceRules": [rule("", "v1", "configmaps")]}
    of_a = {"matchConstraints": {**about, "objectSelector": HAS_A}}
    bound = {"matchResources": {"objectSelector": HAS_A}}
    value = "[JSONPatch{op:'add',path:'/data/n',value:'1'}]"
    named = "Object{data: {'LETTER': variables.n}}"
    cases = {
        "once": several(([x], {})), "again": several(([x], AGAIN)), "two": several(([x, y], {})),
        "two again": several(([x, y], AGAIN)), "after one that does nothing": several((["Object{}"], {}), ([x], AGAIN)),
        "after one that fails": several(([x], AGAIN), ([BAD], {"failurePolicy": "Ignore"})),
        "fails in between": several(([x, BAD, y], {"failurePolicy": "Ignore"})),
        "fails twice": several(([x, BAD, BAD_TOO], {})),
        "fails for good": several(([x, UNKNOWN, y], {"failurePolicy": "Ignore"})),
        "selects what another adds": several(([label_a], {}), ([label_b], of_a)),
        "selects what another adds, again": several(([label_a], AGAIN), ([label_b], {**of_a, **AGAIN})),
        "binds to what another adds": several(([label_a], {}), ([label_b], {}), binding=bound),
        "variables of what was changed": several(
            ([named.replace("LETTER", "x"), "Object{data: {'k': 'changed'}}", named.replace("LETTER", "y")],
             {"variables": [{"name": "n", "expression": "object.data.k"}]})),
        "both kinds": several(([value, "Object{data: {'m': object.data.n}}"], {})),
    }  # fmt: skip
    for policy in ("Fail", "Ignore"):
        for first in ("true", "false", "1/0==1", "object.nope==1"):
            given = {"matchConditions": [{"name": "a", "expression": first}, {"name": "b", "expression": "1/0==2"}]}
            cases[f"{policy} {first}"] = several(([x], {"failurePolicy": policy, **given}))
        cases[f"{policy} condition"] = several(([label_b], {"failurePolicy": policy, "matchConditions": CONDITION}))
    compare(both, "rounds-", cases)


def test_what_they_are_about(both: Both) -> None:
    text, cases = LABEL.replace("LETTER", "m"), {}
    for match in MATCHES:
        if match["resourceRules"][0]["operations"] == ["DELETE"]:
            continue
        for about in ({"matchConstraints": match}, {"binding": {"matchResources": match}}):
            cases[str(about)] = mutating(text, asks=ASKS, **about)
    compare(both, "concern-", cases)


def test_other_versions(both: Both) -> None:
    """Where rules name another version than is asked for, Kubernetes cannot convert what was mutated."""
    text = f"Object{{metadata: Object.metadata{{annotations: {{'v': {VERSIONS}}}}}}}"
    cases = {}
    for version, asked in (("v1", 0), ("v2", 1), ("*", 0), ("*", 1)):
        match = {"resourceRules": [rule("autoscaling", version, "horizontalpodautoscalers")]}
        cases[f"{version} {asked}"] = mutating(text, matchConstraints=match, asks=[SCALERS[asked]])
    compare(both, "version-", cases)


SHOWN = "Object{data: {'p': params == null ? 'null' : string(params)}}"
VALUE = "Object{data: {'p': params == null ? 'null' : params.data.v}}"


def test_parameters(both: Both) -> None:
    cases = {}
    for policy in ("Fail", "Ignore"):
        for action in ("Allow", "Deny"):
            for reference in REFERENCES:
                binding = {"paramRef": {**reference, "parameterNotFoundAction": action}}
                for text in (
                    VALUE,
                    "Object{data: {'p': params.kind}}",
                    "Object{data: {'p': string(has(params.metadata.managedFields))}}",
                ):
                    case = mutating(text, binding=binding, failurePolicy=policy, asks=[NEW], **MAP)
                    cases[f"{reference} {action} {policy} {text}"] = Case(case.policies, case.asks, (OLD, PARAMETER))
        for version, kind in KINDS:
            for reference in ({"name": "{ns}"}, {"name": "nope"}, None):
                bound = {"paramRef": {**reference, "parameterNotFoundAction": "Deny"}} if reference else {}
                param = {"paramKind": {"apiVersion": version, "kind": kind}}
                case = mutating("Object{data: {'p': 'x'}}", binding=bound, failurePolicy=policy, asks=[NEW], **param)
                cases[f"{kind} {reference} {policy}"] = case
    compare(both, "mutparam-", cases)
