"""AuthorizationConfiguration files: what cannot be used is told in a sentence."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kybern.apiserver.authorization.configuration import read_configuration

HEAD = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration"}
RBAC = {"type": "RBAC", "name": "rbac"}
WEBHOOK = {
    "timeout": "3s",
    "subjectAccessReviewVersion": "v1",
    "failurePolicy": "Deny",
    "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": "none"},
}


def read(folder: Path, *authorizers: Any) -> Any:
    path = folder / "authorization.yaml"
    path.write_text(yaml.safe_dump({**HEAD, "authorizers": list(authorizers)}))
    return read_configuration(path)


def test_modes_are_in_order(tmp_path: Path) -> None:
    assert read(tmp_path, {"type": "Node", "name": "node"}, RBAC) == (("Node", "RBAC"), ())


WRONG: dict[str, tuple[Any, str]] = {
    "another type": ({"type": "X", "name": "x"}, 'Unsupported value: "X"'),
    "twice": (RBAC, 'Duplicate value: "RBAC"'),
    "a word": ("Node", "cannot unmarshal string into Go struct field AuthorizationConfiguration.authorizers of type"),
    "a webhook in a word": ({"type": "Webhook", "name": "w", "webhook": "x"}, "of type v1.WebhookConfiguration"),
    "a connection in a word": (
        {"type": "Webhook", "name": "w", "webhook": {**WEBHOOK, "connectionInfo": "x"}},
        "json: cannot unmarshal string into Go struct field WebhookConfiguration.authorizers.webhook.connectionInfo",
    ),
    "a timeout in seconds": (
        {"type": "Webhook", "name": "w", "webhook": {**WEBHOOK, "timeout": 3}},
        "authorizers.webhook.timeout of type string",
    ),
    "a member that is none": ({**RBAC, "foo": 1}, r'strict decoding error: unknown field "authorizers\[1\].foo"'),
    "no webhook": ({"type": "Webhook", "name": "w"}, "webhook: Required value: required when type=Webhook"),
    "a webhook of RBAC": (
        {"type": "ABAC", "name": "abac", "webhook": WEBHOOK},
        'Invalid value: "non-null": may only be specified when type=Webhook',
    ),
    "a name of capitals": ({"type": "Webhook", "name": "W", "webhook": WEBHOOK}, "name is invalid: a lowercase"),
    "too long": (
        {"type": "Webhook", "name": "w", "webhook": {**WEBHOOK, "timeout": "1h"}},
        r'authorizers\[1\].timeout: Invalid value: "1h0m0s": must be > 0s and <= 30s',
    ),
    "several": (
        {"type": "Webhook", "name": "w", "webhook": {}},
        r"^\[authorizers\[1\].timeout: .*, authorizers\[1\].subjectAccessReviewVersion: .*, .*failurePolicy: ",
    ),
    "a condition without its version": (
        {"type": "Webhook", "name": "w", "webhook": {**WEBHOOK, "matchConditions": [{"expression": "true"}]}},
        "matchConditionSubjectAccessReviewVersion: Required value: required if match conditions are specified",
    ),
    "a condition of a number": (
        {"type": "Webhook", "name": "w", "webhook": {**WEBHOOK, "matchConditions": [{"expression": "1"}]}},
        r'matchConditions\[0\].expression: Invalid value: "1": must evaluate to bool but got int',
    ),
    "a condition on what is not there": (
        {"type": "Webhook", "name": "w", "webhook": {**WEBHOOK, "matchConditions": [{"expression": "request.a == 1"}]}},
        "undefined field 'a'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong(tmp_path: Path, name: str) -> None:
    authorizer, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        read(tmp_path, RBAC, authorizer)
