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
    "a word": ("Node", "the AuthorizationConfiguration has not the form"),
    "a webhook in a word": ({"type": "Webhook", "name": "w", "webhook": "x"}, "has not the form"),
    "a connection in a word": (
        {"type": "Webhook", "name": "w", "webhook": {**WEBHOOK, "connectionInfo": "x"}},
        "has not the form",
    ),
    "a timeout in seconds": (
        {"type": "Webhook", "name": "w", "webhook": {**WEBHOOK, "timeout": 3}},
        "has not the form",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong(tmp_path: Path, name: str) -> None:
    authorizer, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        read(tmp_path, RBAC, authorizer)
