"""ABAC policies: whom they concern and what they allow."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from kybern.apiserver.authorization.abac import read_policies
from kybern.apiserver.core.user import User
from kybern.kube.rbac import Attributes

FRAME = {"apiVersion": "abac.authorization.kubernetes.io/v1beta1", "kind": "Policy"}
ALL = {"namespace": "*", "resource": "*", "apiGroup": "*"}
GET = Attributes("get", "", "pods", namespace="n")
DELETE = Attributes("delete", "apps", "deployments", namespace="n")
HEALTH = Attributes("get", path="/healthz/ping")
BOB = User("bob", ("devs", "system:authenticated"))

TABLE: dict[str, tuple[dict[str, Any], Attributes, bool]] = {
    "nobody": (ALL, GET, False),
    "the user": ({"user": "bob", **ALL}, GET, True),
    "another user": ({"user": "eve", **ALL}, GET, False),
    "a group": ({"group": "devs", **ALL}, DELETE, True),
    "another group": ({"group": "ops", **ALL}, GET, False),
    "user and group": ({"user": "bob", "group": "ops", **ALL}, GET, False),
    "everybody": ({"user": "*", **ALL}, DELETE, True),
    "reading": ({"user": "bob", **ALL, "readonly": True}, GET, True),
    "not writing": ({"user": "bob", **ALL, "readonly": True}, DELETE, False),
    "a namespace": ({"user": "bob", **ALL, "namespace": "m"}, GET, False),
    "a resource": ({"user": "bob", **ALL, "resource": "pods"}, DELETE, False),
    "a group of the API": ({"user": "bob", **ALL, "apiGroup": ""}, GET, False),
    "no path": ({"user": "bob", **ALL}, HEALTH, False),
    "a path": ({"user": "bob", "nonResourcePath": "/healthz/ping"}, HEALTH, True),
    "paths": ({"user": "bob", "nonResourcePath": "/healthz/*"}, HEALTH, True),
    "other paths": ({"user": "bob", "nonResourcePath": "/api/*"}, HEALTH, False),
}


@pytest.mark.parametrize("name", TABLE)
def test_policies(name: str, tmp_path: Path) -> None:
    spec, asked, allowed = TABLE[name]
    if name == "a group of the API":
        asked = DELETE  # the core group is named by ""
    file = tmp_path / "policies"
    file.write_bytes(orjson.dumps({**FRAME, "spec": spec}))
    (policy,) = read_policies(file)
    assert policy.allows(BOB, asked) is allowed


def test_lines_without_a_version(tmp_path: Path) -> None:
    file = tmp_path / "policies"
    file.write_text('# all\n\n{}\n{"user":"bob","resource":"pods"}\n')
    everything, pods = read_policies(file)
    assert everything.allows(BOB, DELETE)
    assert everything.allows(BOB, HEALTH)
    assert not everything.allows(User("anonymous"), GET)
    assert pods.allows(BOB, GET)
    assert not pods.allows(BOB, DELETE)
    assert not pods.allows(BOB, HEALTH)


@pytest.mark.parametrize("line", ["x", "[]", '{"kind":"Role"}'])
def test_wrong_lines(line: str, tmp_path: Path) -> None:
    file = tmp_path / "policies"
    file.write_text(f"{{}}\n{line}\n")
    with pytest.raises(ValueError, match="line 2: "):
        read_policies(file)
