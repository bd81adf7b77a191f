"""Which FlowSchema a request falls under, with the default configuration."""

from importlib.resources import files
from typing import Any

import orjson
import pytest

from kybern.apiserver.core.flowcontrol.classify import distinguisher, first_match, flow_hash, in_order, rule_matches
from kybern.apiserver.core.flowcontrol.configuration import configuration, dangling, maintained, needs_condition
from kybern.apiserver.core.user import User, authenticated
from kybern.kube.rbac import Attributes

FLOW = orjson.loads((files("kybern.apiserver.bootstrap") / "data" / "flow.json").read_bytes())
SCHEMAS = [{"kind": "FlowSchema", "metadata": {"name": r["name"]}, "spec": r["spec"]} for r in FLOW["flowschemas"]]
LEVELS = [
    {"kind": "PriorityLevelConfiguration", "metadata": {"name": r["name"]}, "spec": r["spec"]}
    for r in FLOW["prioritylevelconfigurations"]
]
ORDER = in_order(SCHEMAS, {obj["metadata"]["name"] for obj in LEVELS})
ALICE = authenticated(User("alice", ("devs",)))
ADMIN = authenticated(User("root", ("system:masters",)))
NODE = authenticated(User("system:node:n1", ("system:nodes",)))
SCHEDULER = authenticated(User("system:kube-scheduler"))
COREDNS = authenticated(
    User("system:serviceaccount:kube-system:coredns", ("system:serviceaccounts", "system:serviceaccounts:kube-system"))
)
APP = authenticated(User("system:serviceaccount:shop:app", ("system:serviceaccounts", "system:serviceaccounts:shop")))
LEASES = ("coordination.k8s.io", "leases", "", "kube-node-lease")


@pytest.mark.parametrize(
    ("user", "asked", "expected"),
    [
        pytest.param(ADMIN, Attributes("delete", "", "pods", "", "a"), "exempt", id="administrators"),
        pytest.param(ALICE, Attributes("get", path="/healthz"), "probes", id="probes"),
        pytest.param(ALICE, Attributes("get", path="/healthz/etcd"), "global-default", id="not quite a probe"),
        pytest.param(SCHEDULER, Attributes("update", *LEASES), "system-leader-election", id="leader election"),
        pytest.param(SCHEDULER, Attributes("watch", *LEASES), "kube-scheduler", id="leases watched"),
        pytest.param(NODE, Attributes("update", *LEASES), "system-node-high", id="node lease"),
        pytest.param(NODE, Attributes("patch", "", "nodes", "status", "n1"), "system-node-high", id="node status"),
        pytest.param(NODE, Attributes("list", "", "pods"), "system-nodes", id="node at large"),
        pytest.param(COREDNS, Attributes("list", "", "services"), "kube-system-service-accounts", id="kube-system"),
        pytest.param(APP, Attributes("list", "", "services"), "service-accounts", id="workload"),
        pytest.param(ALICE, Attributes("list", "", "services"), "global-default", id="a person"),
        pytest.param(User("x"), Attributes("list", "", "services"), None, id="nobody"),
    ],
)
def test_default_schemas(user: User, asked: Attributes, expected: str | None) -> None:
    found = first_match(ORDER, user, asked)
    assert (found.name if found else None) == expected


def rule(**members: Any) -> dict[str, Any]:
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
    return {
        "subjects": [{"kind": "User", "user": {"name": "alice"}}],
        "resourceRules": [{**everything, **members}],
    }


@pytest.mark.parametrize(
    ("members", "asked", "expected"),
    [
        ({"clusterScope": False}, Attributes("get", "", "nodes"), False),
        ({"clusterScope": False}, Attributes("get", "", "pods", "", "a"), True),
        ({"namespaces": []}, Attributes("get", "", "pods", "", "a"), False),
        ({"namespaces": ["a"]}, Attributes("get", "", "pods", "", "a"), True),
        ({"resources": ["pods"]}, Attributes("get", "", "pods", "status", "a"), False),
        ({"resources": ["pods/status"]}, Attributes("get", "", "pods", "status", "a"), True),
        ({"apiGroups": [""]}, Attributes("get", "apps", "deployments", "", "a"), False),
    ],
)
def test_what_a_rule_covers(members: dict[str, Any], asked: Attributes, expected: bool) -> None:
    assert rule_matches(rule(**members), ALICE, asked) is expected


def test_flows_are_told_apart() -> None:
    asked = Attributes("list", "", "pods", "", "ns")
    by_user = first_match(ORDER, APP, asked)
    by_namespace = first_match(ORDER, COREDNS, asked)
    assert by_user is not None
    assert by_namespace is not None
    assert distinguisher(by_user, APP, asked) == APP.name
    assert distinguisher(by_namespace, COREDNS, asked) == "ns"
    assert flow_hash("a", "b") != flow_hash("a", "c")


def test_a_schema_without_its_level_counts_for_nothing() -> None:
    stray = {
        "kind": "FlowSchema",
        "metadata": {"name": "stray"},
        "spec": {"priorityLevelConfiguration": {"name": "gone"}, "matchingPrecedence": 5, "rules": [rule()]},
    }
    found = configuration([stray], [], [*SCHEMAS, *LEVELS])
    assert [schema.name for schema in found.schemas] == ["exempt", "catch-all"]
    assert {level.name for level in found.levels} == {"exempt", "catch-all"}
    assert dangling(stray, {"exempt"})["status"] == "True"
    condition = needs_condition(stray, {"gone"})
    assert condition is not None
    assert condition["message"] == (
        'This FlowSchema references the PriorityLevelConfiguration object named "gone" and it exists'
    )
    told = {**stray, "status": {"conditions": [{**condition, "lastTransitionTime": "x"}]}}
    assert needs_condition(told, {"gone"}) is None


def changed(obj: dict[str, Any], annotation: str | None, generation: int = 2) -> dict[str, Any]:
    metadata = {**obj["metadata"], "generation": generation}
    if annotation is not None:
        metadata["annotations"] = {"apf.kubernetes.io/autoupdate-spec": annotation}
    return {**obj, "metadata": metadata, "spec": {**obj["spec"], "matchingPrecedence": 77}}


@pytest.mark.parametrize(
    ("name", "annotation", "generation", "restored"),
    [
        ("service-accounts", "true", 2, True),
        ("service-accounts", "false", 1, False),
        ("service-accounts", None, 1, True),
        ("service-accounts", None, 2, False),
        ("catch-all", "false", 2, True),
    ],
)
def test_defaults_are_maintained(name: str, annotation: str | None, generation: int, restored: bool) -> None:
    wanted = next(obj for obj in SCHEMAS if obj["metadata"]["name"] == name)
    result = maintained(changed(wanted, annotation, generation), wanted)
    assert (result is not None and result["spec"] == wanted["spec"]) is restored


def test_the_exempt_level_keeps_its_shares() -> None:
    wanted = next(obj for obj in LEVELS if obj["metadata"]["name"] == "exempt")
    current = {
        "metadata": {"name": "exempt", "annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}},
        "spec": {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 7, "lendablePercent": 1}},
    }
    assert maintained(current, wanted) is None
