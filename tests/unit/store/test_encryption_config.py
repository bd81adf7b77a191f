"""EncryptionConfiguration: what it says about a resource, and every mistake in upstream's words."""

import base64
from typing import Any

import pytest
import yaml

from kybern.store.encryption.config import ConfigurationError, EncryptionConfig, covers, read_config

SECRET = base64.b64encode(b"k" * 32).decode()
IDENTITY: dict[str, Any] = {"identity": {}}


def aes(kind: str = "aesgcm", secret: str = SECRET, name: str = "key1") -> dict[str, Any]:
    return {kind: {"keys": [{"name": name, "secret": secret}]}}


def kms(**changes: Any) -> dict[str, Any]:
    return {"kms": {"apiVersion": "v2", "name": "vault", "endpoint": "unix:///tmp/kms.sock", **changes}}


def config(*entries: tuple[list[str], list[dict[str, Any]]]) -> str:
    resources = [{"resources": names, "providers": providers} for names, providers in entries]
    return yaml.safe_dump(
        {"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1", "resources": resources}
    )


@pytest.mark.parametrize(
    ("pattern", "group", "resource", "covered"),
    [
        ("secrets", "", "secrets", True),
        ("secrets", "apps", "secrets", False),
        ("deployments.apps", "apps", "deployments", True),
        ("*.apps", "apps", "deployments", True),
        ("*.apps", "", "pods", False),
        ("*.", "", "pods", True),
        ("*.", "apps", "deployments", False),
        ("*.*", "", "pods", True),
        ("*.*", "example.com", "widgets", True),
        ("widgets.example.com", "example.com", "widgets", True),
    ],
)
def test_patterns(pattern: str, group: str, resource: str, covered: bool) -> None:
    assert covers(pattern, group, resource) is covered


def test_the_first_entry_that_names_a_resource_counts() -> None:
    found = read_config(config((["secrets"], [aes(), IDENTITY]), (["*.apps"], [aes("aescbc")]), (["*.*"], [kms()])))
    assert [p.kind for p in found.providers("", "secrets")] == ["aesgcm", "identity"]
    assert [p.kind for p in found.providers("apps", "deployments")] == ["aescbc"]
    assert [(p.kind, p.name, p.timeout) for p in found.providers("", "pods")] == [("kms", "vault", 3.0)]
    assert EncryptionConfig().providers("", "secrets") == ()


@pytest.mark.parametrize(("text", "seconds"), [("3s", 3.0), ("500ms", 0.5), ("1m30s", 90.0)])
def test_timeouts(text: str, seconds: float) -> None:
    found = read_config(config((["secrets"], [kms(timeout=text)])))
    assert found.providers("", "secrets")[0].timeout == seconds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "empty or no object", id="nothing"),
        pytest.param("a: [", "error while parsing", id="no YAML"),
        pytest.param("kind: Pod", "expected kind EncryptionConfiguration", id="another kind"),
        pytest.param(config(), "resources: Required value: at least one resources is required", id="no resources"),
        pytest.param(
            config(([], [IDENTITY])),
            "resources[0].resources: Required value: at least one resources[0].resources is required",
            id="an entry without resources",
        ),
        pytest.param(config((["secrets"], [])), "resources[0].providers: Required value", id="no providers"),
        pytest.param(
            config((["secrets"], [aes(secret=base64.b64encode(b"short").decode())])),
            'resources[0].providers[0].aesgcm.keys[0].secret: Invalid value: "REDACTED": secret is not of the expected '
            "length, got 5, expected one of [16 24 32]",
            id="short key",
        ),
        pytest.param(
            config((["secrets"], [aes(secret="%%%")])), '"REDACTED": secrets must be base64 encoded', id="no base64"
        ),
        pytest.param(
            config((["secrets"], [aes(name="")])), "name: Required value: name is a mandatory field for a key", id="key"
        ),
        pytest.param(
            config((["secrets"], [{**aes(), **IDENTITY}])), "more than one provider specified", id="two in one"
        ),
        pytest.param(config((["secrets"], [{}])), "does not contain any of the expected providers", id="no provider"),
        pytest.param(config((["Secrets"], [IDENTITY])), "should not contain capital letters", id="capital letters"),
        pytest.param(config((["*"], [IDENTITY])), "use '*.' to encrypt all the resources", id="star"),
        pytest.param(
            config((["secrets", "*."], [IDENTITY])), "using overlapping resources such as 'secrets'", id="overlap"
        ),
        pytest.param(
            config((["secrets", "secrets"], [IDENTITY])), "cannot be specified multiple times", id="duplicate"
        ),
        pytest.param(config((["events.events.k8s.io"], [IDENTITY])), "Use 'events' instead", id="events"),
        pytest.param(config((["pods.*"], [IDENTITY])), "across groups is not supported", id="across groups"),
        pytest.param(
            config((["secrets"], [kms(endpoint="http://x")])),
            'unsupported scheme "http" for KMS provider, only unix is supported',
            id="kms over http",
        ),
        pytest.param(config((["secrets"], [kms(name="a:b")])), "must not contain ':'", id="kms name"),
        pytest.param(config((["secrets"], [kms(), kms()])), "duplicate KMS provider name vault", id="kms twice"),
        pytest.param(config((["secrets"], [kms(apiVersion="v1")])), "use v2", id="kms v1"),
        pytest.param(config((["secrets"], [kms(timeout="0s")])), "timeout should be a positive value", id="timeout"),
        pytest.param(config((["secrets"], [kms(cachesize=5)])), "cachesize is not supported in v2", id="cachesize"),
    ],
)
def test_mistakes(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_config(text)
    assert words in str(caught.value)


def test_all_mistakes_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_config(config(([], []), (["*"], [{}])))
    assert str(caught.value).count("resources[") >= 4
