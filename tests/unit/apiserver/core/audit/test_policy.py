"""What a policy wants recorded."""

from typing import Any

import pytest

from kybern.apiserver.core.audit.policy import LEVELS, PolicyInvalid, read_policy
from kybern.apiserver.core.user import User, authenticated
from kybern.kube.rbac import Attributes

ALICE = authenticated(User("alice", ("devs",)))
POD = Attributes("get", "", "pods", "", "ns", "p")
LOG = Attributes("get", "", "pods", "log", "ns", "p")
SCALE = Attributes("update", "apps", "deployments", "scale", "ns", "d")
NODE = Attributes("get", "", "nodes", "", "", "n")
PATH = Attributes("get", path="/apis/apps/v1")


def policy(*rules: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules), **members}


@pytest.mark.parametrize(
    ("rule", "asked", "expected"),
    [
        pytest.param({}, POD, True, id="everything"),
        pytest.param({}, PATH, True, id="paths too"),
        pytest.param({"users": ["bob"]}, POD, False, id="another user"),
        pytest.param({"users": ["bob", "alice"]}, POD, True, id="the user"),
        pytest.param({"userGroups": ["devs"]}, POD, True, id="a group"),
        pytest.param({"userGroups": ["ops"]}, POD, False, id="another group"),
        pytest.param({"verbs": ["list", "watch"]}, POD, False, id="another verb"),
        pytest.param({"namespaces": ["ns"]}, POD, True, id="the namespace"),
        pytest.param({"namespaces": [""]}, POD, False, id="cluster scope only"),
        pytest.param({"namespaces": [""]}, NODE, True, id="cluster scope"),
        pytest.param({"namespaces": ["ns"]}, PATH, False, id="a path has no namespace"),
        pytest.param({"resources": [{"group": "apps"}]}, SCALE, True, id="a whole group"),
        pytest.param({"resources": [{"group": ""}]}, SCALE, False, id="another group of resources"),
        pytest.param({"resources": [{"resources": ["pods"]}]}, POD, True, id="a resource"),
        pytest.param({"resources": [{"resources": ["pods"]}]}, LOG, False, id="not its subresources"),
        pytest.param({"resources": [{"resources": ["pods/log"]}]}, LOG, True, id="a subresource"),
        pytest.param({"resources": [{"resources": ["pods/*"]}]}, LOG, True, id="all subresources"),
        pytest.param({"resources": [{"resources": ["pods/*"]}]}, POD, True, id="and the resource"),
        pytest.param({"resources": [{"group": "apps", "resources": ["*/scale"]}]}, SCALE, True, id="any scale"),
        pytest.param({"resources": [{"group": "apps", "resources": ["*"]}]}, SCALE, True, id="any resource"),
        pytest.param({"resources": [{"resources": ["pods"], "resourceNames": ["q"]}]}, POD, False, id="another name"),
        pytest.param({"resources": [{"resources": ["pods"], "resourceNames": ["p"]}]}, POD, True, id="the name"),
        pytest.param({"nonResourceURLs": ["/apis*"]}, PATH, True, id="a prefix"),
        pytest.param({"nonResourceURLs": ["/api"]}, PATH, False, id="another path"),
        pytest.param({"nonResourceURLs": ["*"]}, POD, False, id="a resource is no path"),
    ],
)
def test_rules(rule: dict[str, Any], asked: Attributes, expected: bool) -> None:
    found = read_policy(policy({"level": "Request", **rule})).decide(ALICE, asked)
    assert (LEVELS[found.level] == "Request") is expected


def test_the_first_rule_that_matches_decides() -> None:
    read = read_policy(
        policy(
            {"level": "None", "verbs": ["get"]},
            {"level": "RequestResponse", "omitStages": ["Panic"], "omitManagedFields": False},
            omitStages=["RequestReceived"],
            omitManagedFields=True,
        )
    )
    assert read.decide(ALICE, POD).level == 0
    found = read.decide(ALICE, SCALE)
    assert found.with_request
    assert found.with_response
    assert found.omit_stages == {"Panic", "RequestReceived"}
    assert not found.omit_managed_fields


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "it is no object"),
        ({"kind": "Policy", "rules": [{"level": "None"}]}, "it must be a Policy of audit.k8s.io/v1"),
        (policy(), "rules: Required value"),
        (policy({"level": "Loud"}), r'rules\[0\].level: Unsupported value: "Loud"'),
        (policy({"level": "None"}, omitStages=["Late"]), 'omitStages: Invalid value: "Late"'),
        (policy({"level": "None", "nonResourceURLs": ["/a*b"]}), "must be its last character"),
        (policy({"level": "None", "nonResourceURLs": ["/a"], "namespaces": ["a"]}), "cannot apply to both"),
        (policy({"level": "None", "resources": [{"resourceNames": ["a"]}]}), "needs at least one resource"),
    ],
)
def test_mistakes_are_named(document: Any, message: str) -> None:
    with pytest.raises(PolicyInvalid, match=message):
        read_policy(document)
