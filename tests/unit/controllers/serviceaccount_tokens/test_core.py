"""Tokens in Secrets: what is filled in, and what becomes of those that nobody uses."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kybern.controllers.serviceaccount_tokens import core
from kybern.kube import legacy_tokens

NOW, YEAR = datetime(2026, 6, 15, 12, tzinfo=UTC), timedelta(days=365)
ACCOUNT = {"metadata": {"name": "robot", "namespace": "dev", "uid": "u1"}, "secrets": [{"name": "robot-token"}]}


def secret(labels: dict[str, str] | None = None, data: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    noted = {legacy_tokens.ACCOUNT_NAME: "robot"}
    common = {"name": "robot-token", "namespace": "dev", "creationTimestamp": "2024-01-01T00:00:00Z"}
    encoded = {key: b64encode(value.encode()).decode() for key, value in (data or {}).items()}
    metadata = {**common, "annotations": noted, "labels": labels or {}, **metadata}
    return {"type": legacy_tokens.TYPE, "metadata": metadata, "data": encoded}


def sign(claims: dict[str, str]) -> str:
    return f"signed {claims['sub']} {claims['kubernetes.io/serviceaccount/secret.name']}"


def test_an_empty_secret_is_filled() -> None:
    found = core.filled(secret(data={"own": "x"}), ACCOUNT, "CA", sign)
    assert found is not None
    assert {key: b64decode(value).decode() for key, value in found["data"].items()} == {
        "own": "x",
        "ca.crt": "CA",
        "namespace": "dev",
        "token": "signed system:serviceaccount:dev:robot robot-token",
    }
    assert found["metadata"]["annotations"] == {
        "kubernetes.io/service-account.name": "robot",
        "kubernetes.io/service-account.uid": "u1",
    }
    assert core.filled(found, ACCOUNT, "CA", sign) is None


def test_another_authority_leaves_the_token() -> None:
    found = core.filled(secret(data={"token": "old", "ca.crt": "OLD", "namespace": "own"}), ACCOUNT, "CA", sign)
    assert found is not None
    assert {key: b64decode(value).decode() for key, value in found["data"].items()} == {
        "token": "old",
        "ca.crt": "CA",
        "namespace": "own",
    }
    assert core.filled(secret(data={"token": "old", "ca.crt": "OLD", "namespace": "own"}), ACCOUNT, "", sign) is None


USED, SINCE = legacy_tokens.LAST_USED, legacy_tokens.INVALID_SINCE


@pytest.mark.parametrize(
    ("name", "found", "account", "mounted", "decision"),
    [
        ("never used", secret(), ACCOUNT, False, core.Invalidate("2026-06-15")),
        ("used long ago", secret({USED: "2025-06-14"}), ACCOUNT, False, core.Invalidate("2026-06-15")),
        ("used within the year", secret({USED: "2025-06-15"}), ACCOUNT, False, None),
        ("used on no day", secret({USED: "yesterday"}), ACCOUNT, False, None),
        ("young", secret(creationTimestamp="2026-01-01T00:00:00Z"), ACCOUNT, False, None),
        ("asked for", secret(), {**ACCOUNT, "secrets": []}, False, None),
        ("of no account", secret(), None, False, None),
        ("mounted", secret(), ACCOUNT, True, None),
        ("marked lately", secret({SINCE: "2025-06-15"}), ACCOUNT, False, None),
        ("marked long ago", secret({SINCE: "2025-06-14"}), ACCOUNT, False, core.Remove()),
        ("marked with no day", secret({SINCE: "x"}), ACCOUNT, False, core.Invalidate("2026-06-15")),
        ("deleted", secret(deletionTimestamp="2026-06-15T00:00:00Z"), ACCOUNT, False, None),
        ("another type", {**secret(), "type": "Opaque"}, ACCOUNT, False, None),
    ],
)
def test_unused(name: str, found: Any, account: Any, mounted: bool, decision: Any) -> None:
    assert core.decide_unused(found, account, mounted, NOW, YEAR) == decision


@pytest.mark.parametrize(("since", "enough"), [("2025-06-13", True), ("2025-06-14", True), ("2025-06-15", False)])
def test_uses_are_noted_for_the_whole_period(since: str, enough: bool) -> None:
    assert core.tracked_long_enough({"data": {"since": since}}, NOW, YEAR) is enough


def test_a_day_that_is_none() -> None:
    with pytest.raises(ValueError, match="trackedSince"):
        core.tracked_long_enough({"data": {"since": "soon"}}, NOW, YEAR)


def test_secrets_that_a_pod_speaks_of() -> None:
    container = {
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "env"}}}, {"name": "B", "value": "x"}],
        "envFrom": [{"secretRef": {"name": "from"}}, {"configMapRef": {"name": "no"}}],
    }
    volumes = [
        {"secret": {"secretName": "volume"}},
        {"projected": {"sources": [{"secret": {"name": "projected"}}, {"configMap": {"name": "no"}}]}},
        {"csi": {"nodePublishSecretRef": {"name": "csi"}}},
        {"rbd": {"secretRef": {"name": "rbd"}}},
        {"emptyDir": {}},
    ]
    spec = {"imagePullSecrets": [{"name": "pull"}], "initContainers": [container], "containers": [], "volumes": volumes}
    assert core.secret_names({"spec": spec}) == {"env", "from", "volume", "projected", "csi", "rbd", "pull"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({}, None),
        ({"sub": ""}, "sub claim is missing"),
        ({"sub": "system:serviceaccount:dev:other"}, "sub claim is invalid"),
        ({"kubernetes.io/serviceaccount/namespace": ""}, "namespace claim is missing"),
        ({"kubernetes.io/serviceaccount/secret.name": None}, "secretName claim is missing"),
        ({"kubernetes.io/serviceaccount/service-account.name": ""}, "serviceAccountName claim is missing"),
        ({"kubernetes.io/serviceaccount/service-account.uid": ""}, "serviceAccountUID claim is missing"),
    ],
)
def test_claims(change: dict[str, Any], error: str | None) -> None:
    said = legacy_tokens.claims(ACCOUNT, secret()) | change
    if error is None:
        assert legacy_tokens.read_claims(said) == legacy_tokens.Legacy("dev", "robot-token", "robot", "u1")
        assert said["iss"] == "kubernetes/serviceaccount"
    else:
        with pytest.raises(ValueError, match=error):
            legacy_tokens.read_claims(said)
