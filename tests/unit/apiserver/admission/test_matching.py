"""Rules and selectors of webhooks and policies against the attributes of writes."""

from typing import Any

import pytest

from kybern.apiserver.admission.matching import Attributes, object_matches, rule_matches
from kybern.kube.selectors import from_label_selector

POD = Attributes("CREATE", "", "v1", "pods", "", "default", "web")
EXEC = Attributes("CONNECT", "", "v1", "pods", "exec", "default", "web")
NAMESPACE = Attributes("CREATE", "", "v1", "namespaces", "", "team", "team")
NODE = Attributes("UPDATE", "", "v1", "nodes", "", "", "n1")
ANY: dict[str, Any] = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}

RULES: dict[str, tuple[dict[str, Any], Attributes, bool]] = {
    "everything": ({}, POD, True),
    "* has no subresources": ({}, EXEC, False),
    "*/* has everything": ({"resources": ["*/*"]}, EXEC, True),
    "*/* has resources too": ({"resources": ["*/*"]}, POD, True),
    "pods/* is for pods": ({"resources": ["pods/*"]}, EXEC, True),
    "pods is not its subresources": ({"resources": ["pods"]}, EXEC, False),
    "*/exec": ({"resources": ["*/exec"]}, EXEC, True),
    "another resource": ({"resources": ["services"]}, POD, False),
    "the core group": ({"apiGroups": [""]}, POD, True),
    "another group": ({"apiGroups": ["apps"]}, POD, False),
    "another version": ({"apiVersions": ["v2"]}, POD, False),
    "another operation": ({"operations": ["UPDATE", "DELETE"]}, POD, False),
    "namespaced": ({"scope": "Namespaced"}, POD, True),
    "namespaced is not for nodes": ({"scope": "Namespaced"}, NODE, False),
    "cluster": ({"scope": "Cluster"}, NODE, True),
    "a namespace is in the cluster": ({"scope": "Cluster"}, NAMESPACE, True),
    "a namespace is not namespaced": ({"scope": "Namespaced"}, NAMESPACE, False),
    "named": ({"resourceNames": ["web"]}, POD, True),
    "named otherwise": ({"resourceNames": ["db"]}, POD, False),
}


@pytest.mark.parametrize("name", RULES)
def test_rules(name: str) -> None:
    changes, asked, expected = RULES[name]
    assert rule_matches({**ANY, **changes}, asked) is expected


def test_objects_match_before_or_after() -> None:
    selector = from_label_selector({"matchLabels": {"a": "b"}})
    labelled: dict[str, Any] = {"metadata": {"labels": {"a": "b"}}}
    plain: dict[str, Any] = {"metadata": {}}
    assert object_matches(selector, labelled, plain)
    assert object_matches(selector, None, labelled)
    assert not object_matches(selector, plain, None)
    assert not object_matches(selector, {}, None)
    assert object_matches(from_label_selector({}), None, None)
