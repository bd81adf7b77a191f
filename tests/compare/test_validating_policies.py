"""ValidatingAdmissionPolicies put to work: what they refuse, warn of and pass over.

Kubernetes looks at policies, bindings and selected parameters in the order of a map: each case has one that speaks.
"""

from pathlib import Path
from typing import Any

import pytest
from policy_cases import EVERY, MAPS, NEW, OLD, Ask, Case, compare, rule, validating
from same import Both

Object = dict[str, Any]
_TEXT = (Path(__file__).parent / "policy_rows.txt").read_text()
ROWS = {(lines := part.split("\n"))[0].strip(): [*filter(None, lines[1:])] for part in ("\n" + _TEXT).split("\n# ")[1:]}
NO = "object.data.k == 'z'"
MAP = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
KNOWN = [{"name": "x", "expression": "1/0"}]


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_expressions(both: Both, policy: str) -> None:
    rows = ROWS["what validations say of config maps"][:: 1 if policy == "Fail" else 4]
    cases = {
        text: validating(
            text, failurePolicy=policy, variables=KNOWN, asks=EVERY if number % 4 == 0 else [NEW],
            **(MAP if "params" in text else {}),
        )
        for number, text in enumerate(rows)
    }  # fmt: skip
    compare(both, f"expr-{policy.lower()}-", cases)


def test_messages(both: Both) -> None:
    cases = {}
    for text in [*ROWS["message expressions"], f"'{'x' * 6000}'"]:
        for message in (None, " padded "):
            given = {"expression": NO, "messageExpression": text, **({"message": message} if message else {})}
            cases[f"{text[:80]} {message}"] = validating(given, variables=KNOWN, asks=[NEW])
    for reason in ("Unauthorized", "Forbidden", "Invalid", "RequestEntityTooLarge"):
        cases[reason] = validating({"expression": NO, "reason": reason}, asks=[NEW])
        cases[f"{reason}, error"] = validating({"expression": "1/0 == 1", "reason": reason}, asks=[NEW])
        cases[f"{reason}, another"] = validating(
            {"expression": NO, "reason": reason}, {"expression": "false", "reason": "Forbidden", "message": "second"},
            asks=[NEW],
        )  # fmt: skip
    compare(both, "message-", cases)


ACTIONS = [["Deny"], ["Warn"], ["Audit"], ["Deny", "Audit"], ["Warn", "Audit"], ["Audit", "Warn"]]


def test_actions(both: Both) -> None:
    cases = {}
    for actions in ACTIONS:
        for text in (NO, "1/0==1", "object.nope==1", "true"):
            for policy in ("Fail", "Ignore"):
                cases[f"{actions} {text} {policy}"] = validating(
                    text, NO, "object.data.k == 'q'", binding={"validationActions": actions}, failurePolicy=policy,
                    asks=[NEW],
                )  # fmt: skip
        odd = [{"expression": NO, "message": text} for text in ("m" * 3000, 'odd "q" \\ é', "same", "same")]
        cases[f"{actions} long"] = validating(*odd, binding={"validationActions": actions}, asks=[NEW])
        for value in ("'a'", "''", "null", "string(1/0)", "object.data.nope", f"'{'x' * 5000}'"):
            notes = [{"key": "k", "valueExpression": value}]
            cases[f"{actions} note {value[:40]}"] = validating(
                auditAnnotations=notes, binding={"validationActions": actions}, asks=[NEW]
            )
    compare(both, "action-", cases)


def test_conditions(both: Both) -> None:
    cases = {}
    texts = ("true", "false", "1/0==1", "object.nope == 1", "oldObject == null", "params == null")
    for policy in ("Fail", "Ignore"):
        for first in texts:
            for second in (None, "false", "1/0 == 1", "1/0 == 2"):
                conditions = [{"name": "a", "expression": first}]
                conditions += [{"name": "b", "expression": second}] if second else []
                given = {"failurePolicy": policy, "matchConditions": conditions, **(MAP if "params" in first else {})}
                cases[f"{policy} {first} {second}"] = validating(NO, asks=[NEW, EVERY[3]], **given)
    compare(both, "condition-", cases)


LABELED = ("POST", MAPS, {"metadata": {"name": "old", "labels": {"a": "b"}}, "data": {"a": "b"}})
ASKS: list[Ask] = [
    *EVERY, ("POST", MAPS + "?dryRun=All", {"metadata": {"name": "lab", "labels": {"a": "b"}}}),
    ("POST", MAPS + "?dryRun=All", {"metadata": {"generateName": "generated-"}}),
]  # fmt: skip
ABOUT = rule("", "v1", "configmaps")
MATCHES: list[Object] = [
    *({"resourceRules": [{**ABOUT, "operations": [operation]}]} for operation in ("CREATE", "UPDATE", "DELETE")),
    *({"resourceRules": [{**ABOUT, "resourceNames": [name]}]} for name in ("x", "old")),
    *({"resourceRules": [{**ABOUT, "scope": scope}]} for scope in ("Cluster", "Namespaced")),
    *({"resourceRules": [rule("*", "*", resource)]} for resource in ("*", "*/*")),
    {"resourceRules": [rule("", "v1", "configmaps/*")]}, {"resourceRules": [rule("", "v1", "pods")]},
    *({"resourceRules": [ABOUT], "excludeResourceRules": [one]} for one in (
        {**ABOUT, "resourceNames": ["x"]}, {**ABOUT, "operations": ["UPDATE"]}, rule("", "v1", "pods"))),
    *({"resourceRules": [ABOUT], "objectSelector": one} for one in (
        {"matchLabels": {"a": "b"}}, {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]},
        {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]})),
]  # fmt: skip


def test_what_they_are_about(both: Both) -> None:
    said = {"expression": "false", "messageExpression": "request.operation"}
    cases = {}
    for match in MATCHES:
        for about in ({"matchConstraints": match}, {"binding": {"matchResources": match}}):
            case = validating(said, asks=ASKS, **about)
            cases[str(about)] = Case(case.policies, case.asks, (LABELED,))
    compare(both, "about-", cases)


TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
SCALER = {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": TARGET, "maxReplicas": 3}}
SCALERS: list[Ask] = [
    ("POST", f"/apis/autoscaling/{version}/namespaces/{{ns}}/horizontalpodautoscalers?dryRun=All", SCALER)
    for version in ("v1", "v2")
]
VERSIONS = "object.apiVersion + [request.kind, request.requestKind].map(k, k.version).join() + request.resource.version"


def test_equivalent_versions(both: Both) -> None:
    cases = {}
    said = {"expression": "false", "messageExpression": VERSIONS}
    for policy in ("Exact", "Equivalent"):
        for version in ("v1", "v2", "*"):
            match = {"resourceRules": [rule("autoscaling", version, "horizontalpodautoscalers")], "matchPolicy": policy}
            cases[f"{policy} {version}"] = validating(said, matchConstraints=match, asks=SCALERS)
            excluded = {"resourceRules": [rule("*", "*", "*")], "excludeResourceRules": match["resourceRules"]}
            cases[f"not {policy} {version}"] = validating(
                said, matchConstraints={**excluded, "matchPolicy": policy}, asks=SCALERS
            )
            newest = {"resourceRules": [rule("autoscaling", "v2", "horizontalpodautoscalers")]}
            cases[f"binding {policy} {version}"] = validating(
                said, matchConstraints=newest, binding={"matchResources": match}, asks=SCALERS
            )
    compare(both, "equivalent-", cases)


PARAMETER = ("POST", MAPS, {"metadata": {"name": "param", "labels": {"p": "1"}}, "data": {"v": "P"}})
REFERENCES: list[Object] = [
    {"name": "param"}, {"name": "nope"}, {"selector": {"matchLabels": {"p": "1"}}},
    {"selector": {"matchLabels": {"p": "2"}}}, {"name": "param", "namespace": "default"},
    {"name": "param", "namespace": "{ns}"},
]  # fmt: skip
KINDS = [
    ("v1", "Nope"), ("x.y/v1", "ConfigMap"), ("v1", "Namespace"), ("v1", "Secret"), ("apps/v1", "Deployment"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
]  # fmt: skip


def test_parameters(both: Both) -> None:
    cases = {}
    said = {"expression": "false", "messageExpression": "params.kind + params.apiVersion + params.data.v"}
    for policy in ("Fail", "Ignore"):
        for action in ("Allow", "Deny"):
            for reference in REFERENCES:
                binding = {"paramRef": {**reference, "parameterNotFoundAction": action}}
                case = validating(said, binding=binding, failurePolicy=policy, asks=[NEW], **MAP)
                cases[f"{reference} {action} {policy}"] = Case(case.policies, case.asks, (OLD, PARAMETER))
        for version, kind in KINDS:
            for reference in ({"name": "{ns}"}, {"name": "nope"}, {"name": "x", "namespace": "{ns}"}, None):
                bound = {"paramRef": {**reference, "parameterNotFoundAction": "Deny"}} if reference else {}
                cases[f"{kind} {reference} {policy}"] = validating(
                    "params == null || has(params.data)", binding=bound, failurePolicy=policy, asks=[NEW],
                    paramKind={"apiVersion": version, "kind": kind},
                )  # fmt: skip
    compare(both, "param-", cases)
