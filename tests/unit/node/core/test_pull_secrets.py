"""Which credentials an image is pulled with."""

import base64
import json
from typing import Any

import pytest

from kybern.kube.meta import Object
from kybern.node.core.pull_secrets import Credentials, credentials_for, read_credentials


def secret(key: str, content: Any) -> Object:
    text = content if isinstance(content, str) else json.dumps(content)
    return {"data": {key: base64.b64encode(text.encode()).decode()}}


AUTH = base64.b64encode(b"me:pass:word").decode()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(
            secret(".dockerconfigjson", {"auths": {"https://example.com/v2/": {"auth": AUTH}}}),
            [Credentials("example.com", "me", "pass:word")],
            id="docker's configuration",
        ),
        pytest.param(
            secret(".dockercfg", {"example.com:5000/team": {"username": "me", "password": "p"}}),
            [Credentials("example.com:5000/team", "me", "p")],
            id="its old form",
        ),
        pytest.param(
            secret(".dockerconfigjson", {"auths": {"https://index.docker.io/v1/": {"username": "me"}, "empty.io": {}}}),
            [Credentials("index.docker.io", "me", "")],
            id="the hub; an entry without anybody",
        ),
        pytest.param(secret(".dockerconfigjson", "no JSON"), [], id="no JSON"),
        pytest.param(secret(".dockerconfigjson", []), [], id="a list"),
        pytest.param(secret(".dockerconfigjson", {"auths": {"a.io": {"auth": "?"}}}), [], id="no base64"),
        pytest.param({"data": {".dockerconfigjson": "?"}}, [], id="a damaged Secret"),
        pytest.param({}, [], id="nothing"),
    ],
)
def test_read(found: Object, expected: list[Credentials]) -> None:
    assert read_credentials(found) == expected


@pytest.mark.parametrize(
    ("image", "registries", "tried"),
    [
        ("busybox", ["index.docker.io", "docker.io", "example.com"], ["index.docker.io", "docker.io"]),
        ("example.com/web:1", ["example.com", "other.com", "example.com:5000"], ["example.com"]),
        ("example.com:5000/web", ["example.com", "example.com:5000"], ["example.com:5000"]),
        ("a.example.com/web", ["*.example.com", "*", "*.com", "a.*.com"], ["a.*.com", "*.example.com"]),
        ("a.io/team/web", ["a.io", "a.io/team", "a.io/other"], ["a.io/team", "a.io"]),
        ("example.com/web@sha256:" + 64 * "0", ["example.com"], ["example.com"]),
    ],
)  # fmt: skip
def test_order(image: str, registries: list[str], tried: list[str]) -> None:
    known = [Credentials(name, "me", "") for name in registries]
    assert [one.registry for one in credentials_for(image, known)] == tried
