"""RBAC rule matching, named by what upstream allows and does not."""

import pytest

from kybern.kube.rbac import Attributes, rules_allow, rules_cover, subject_matches

POD = {"apiGroups": [""], "resources": ["pods"]}
CASES = [
    ("verb and resource", {**POD, "verbs": ["get"]}, Attributes("get", resource="pods"), True),
    ("other verb", {**POD, "verbs": ["get"]}, Attributes("list", resource="pods"), False),
    ("other group", {**POD, "verbs": ["*"]}, Attributes("get", group="apps", resource="pods"), False),
    (
        "subresource needs its own",
        {**POD, "verbs": ["*"]},
        Attributes("get", resource="pods", subresource="log"),
        False,
    ),
    (
        "subresource",
        {**POD, "resources": ["pods/log"], "verbs": ["get"]},
        Attributes("get", resource="pods", subresource="log"),
        True,
    ),
    (
        "any resource's scale",
        {**POD, "resources": ["*/scale"], "verbs": ["get"]},
        Attributes("get", resource="x", subresource="scale"),
        True,
    ),
    (
        "star covers subresources",
        {**POD, "resources": ["*"], "verbs": ["get"]},
        Attributes("get", resource="pods", subresource="log"),
        True,
    ),
    ("named", {**POD, "verbs": ["get"], "resourceNames": ["a"]}, Attributes("get", resource="pods", name="a"), True),
    (
        "other name",
        {**POD, "verbs": ["get"], "resourceNames": ["a"]},
        Attributes("get", resource="pods", name="b"),
        False,
    ),
    (
        "list has no name",
        {**POD, "verbs": ["list"], "resourceNames": ["a"]},
        Attributes("list", resource="pods"),
        False,
    ),
    ("path", {"verbs": ["get"], "nonResourceURLs": ["/healthz"]}, Attributes("get", path="/healthz"), True),
    (
        "path prefix",
        {"verbs": ["get"], "nonResourceURLs": ["/healthz/*"]},
        Attributes("get", path="/healthz/etcd"),
        True,
    ),
    (
        "path outside prefix",
        {"verbs": ["get"], "nonResourceURLs": ["/healthz/*"]},
        Attributes("get", path="/healthz"),
        False,
    ),
    ("resource rule gives no path", {**POD, "resources": ["*"], "verbs": ["*"]}, Attributes("get", path="/api"), False),
]


@pytest.mark.parametrize(("rule", "attributes", "wanted"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_rules(rule: dict[str, list[str]], attributes: Attributes, wanted: bool) -> None:
    assert rules_allow([rule], attributes) is wanted


SUBJECTS = [
    ({"kind": "User", "name": "ann"}, True),
    ({"kind": "User", "name": "bob"}, False),
    ({"kind": "Group", "name": "system:authenticated"}, True),
    ({"kind": "Group", "name": "ann"}, False),
    ({"kind": "ServiceAccount", "name": "ann", "namespace": "x"}, False),
]


@pytest.mark.parametrize(("subject", "wanted"), SUBJECTS)
def test_subjects(subject: dict[str, str], wanted: bool) -> None:
    assert subject_matches(subject, "ann", ["system:authenticated"]) is wanted


def test_service_account_subject_takes_the_bindings_namespace() -> None:
    user = "system:serviceaccount:ns:bot"
    assert subject_matches({"kind": "ServiceAccount", "name": "bot"}, user, [], "ns")
    assert not subject_matches({"kind": "ServiceAccount", "name": "bot"}, user, [], "other")


def test_escalation_names_what_is_missing() -> None:
    owned = [{**POD, "verbs": ["get", "list"]}]
    assert rules_cover(owned, [{**POD, "verbs": ["get"]}]) == []
    missing = rules_cover(owned, [{**POD, "verbs": ["get", "delete"]}, {"verbs": ["get"], "nonResourceURLs": ["/x"]}])
    assert missing == [{**POD, "verbs": ["delete"]}, {"verbs": ["get"], "nonResourceURLs": ["/x"]}]
    assert rules_cover([{**POD, "verbs": ["*"], "resourceNames": ["a"]}], [{**POD, "verbs": ["get"]}]) != []
    assert (
        rules_cover(
            [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}], [{**POD, "resources": ["*"], "verbs": ["*"]}]
        )
        == []
    )
