"""FlowSchema and PriorityLevelConfiguration: what is refused, and in which words."""

from importlib.resources import files
from typing import Any

import orjson
import pytest

from kybern.kube.validation.flow_schema import validate_flow_schema
from kybern.kube.validation.priority_level import validate_priority_level

FLOW = orjson.loads((files("kybern.apiserver.bootstrap") / "data" / "flow.json").read_bytes())
RULE = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["*"]}
USER = {"kind": "User", "user": {"name": "u"}}


@pytest.mark.parametrize("row", FLOW["flowschemas"], ids=lambda row: row["name"])
def test_default_schemas_are_good(row: dict[str, Any]) -> None:
    assert not list(validate_flow_schema({"metadata": {"name": row["name"]}, "spec": row["spec"]}))


@pytest.mark.parametrize("row", FLOW["prioritylevelconfigurations"], ids=lambda row: row["name"])
def test_default_levels_are_good(row: dict[str, Any]) -> None:
    assert not list(validate_priority_level({"metadata": {"name": row["name"]}, "spec": row["spec"]}))


def schema(**spec: Any) -> list[str]:
    base = {"priorityLevelConfiguration": {"name": "p"}, "matchingPrecedence": 5}
    return [str(error) for error in validate_flow_schema({"metadata": {"name": "s"}, "spec": {**base, **spec}})]


def of_rule(**rule: Any) -> list[str]:
    return schema(rules=[{"subjects": [USER], "resourceRules": [{**RULE, **rule}]}])


def of_path(**rule: Any) -> list[str]:
    path = {"verbs": ["get"], "nonResourceURLs": ["/a"], **rule}
    return schema(rules=[{"subjects": [USER], "nonResourceRules": [path]}])


def of_subject(**subject: Any) -> list[str]:
    return schema(rules=[{"subjects": [subject], "resourceRules": [RULE]}])


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        (schema(matchingPrecedence=0), "spec.matchingPrecedence: Invalid value: 0: must be a positive value"),
        (schema(matchingPrecedence=10001), "must not be greater than 10000"),
        (schema(matchingPrecedence=1), "only the schema named 'exempt' may have matchingPrecedence 1"),
        (schema(priorityLevelConfiguration={}), "must reference a priority level"),
        (schema(priorityLevelConfiguration={"name": "A"}), "a lowercase RFC 1123 subdomain"),
        (schema(distinguisherMethod={"type": "ByMood"}), 'Unsupported value: {"Type":"ByMood"}'),
        (schema(rules=[{"resourceRules": [RULE]}]), "subjects must contain at least one value"),
        (schema(rules=[{"subjects": [USER]}]), "at least one of resourceRules and nonResourceRules"),
        (of_rule(verbs=[]), "verbs must contain at least one value"),
        (of_rule(verbs=["*", "get"]), "if '*' is present, must not specify other verbs"),
        (of_rule(verbs=["touch"]), "spec.rules[0].resourceRules[0].verbs: Unsupported value"),
        (of_rule(apiGroups=[]), "resource rules must supply at least one api group"),
        (of_rule(apiGroups=["*", "a"]), "if '*' is present, must not specify other api groups"),
        (of_rule(resources=["*", "a"]), "if '*' is present, must not specify other resources"),
        (of_rule(namespaces=[]), "resource rules that are not cluster scoped must supply at least one namespace"),
        (of_rule(namespaces=["*", "a"]), "if '*' is present, must not specify other namespaces"),
        (of_rule(namespaces=["A"]), "a lowercase RFC 1123 label"),
        (of_path(nonResourceURLs=[]), "nonResourceURLs must contain at least one value"),
        (of_path(nonResourceURLs=["a"]), "must start with slash"),
        (of_path(nonResourceURLs=["/a b"]), "must not contain white-space"),
        (of_path(nonResourceURLs=["/a//b"]), "must not contain double slash"),
        (of_path(nonResourceURLs=["/a*b"]), "wildcard can only do suffix matching"),
        (of_subject(kind="Robot"), 'kind: Unsupported value: "Robot"'),
        (of_subject(kind="Group", user={"name": "u"}), "group is required when subject kind is 'Group'"),
        (of_subject(kind="User", user={}), "user.name: Required value"),
        (
            of_subject(kind="ServiceAccount", serviceAccount={"name": "a"}),
            "must specify namespace for service account",
        ),
    ],
)
def test_schemas(errors: list[str], words: str) -> None:
    assert any(words in error for error in errors), errors


def test_what_is_good() -> None:
    assert not of_rule(namespaces=[], clusterScope=True)
    assert not of_path(nonResourceURLs=["/healthz", "/apis/*"])
    assert not of_subject(kind="ServiceAccount", serviceAccount={"namespace": "a", "name": "*"})


def level(name: str = "l", **limited: Any) -> list[str]:
    base = {"limitResponse": {"type": "Reject"}, **limited}
    obj = {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": base}}
    return [str(error) for error in validate_priority_level(obj)]


def queuing(**members: int) -> list[str]:
    base = {"queues": 64, "handSize": 8, "queueLengthLimit": 50, **members}
    return level(limitResponse={"type": "Queue", "queuing": base})


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        (level("exempt"), "must be 'Exempt' if and only if `name` is 'exempt'"),
        (level("catch-all"), "spec of 'catch-all' must equal the fixed value"),
        (level(nominalConcurrencyShares=-1), "must be a non-negative integer"),
        (level(lendablePercent=101), "must be between 0 and 100, inclusive"),
        (level(borrowingLimitPercent=-1), "if specified, must be a non-negative integer"),
        (level(limitResponse={"type": "Wait"}), 'Unsupported value: "Wait"'),
        (level(limitResponse={"type": "Queue"}), "must not be empty if limited.limitResponse.type is Limited"),
        (level(limitResponse={"type": "Reject", "queuing": {}}), "must be nil if"),
        (queuing(queueLengthLimit=0), "queueLengthLimit: Invalid value: 0: must be positive"),
        (queuing(queues=0), "queues: Invalid value: 0: must be positive"),
        (queuing(handSize=65), "should not be greater than queues (64)"),
        (queuing(queues=1024, handSize=7), "required entropy bits of deckSize 1024 and handSize 7"),
    ],
)
def test_levels(errors: list[str], words: str) -> None:
    assert any(words in error for error in errors), errors


def test_a_good_level() -> None:
    assert not queuing()
    assert not level(nominalConcurrencyShares=0, borrowingLimitPercent=0)
