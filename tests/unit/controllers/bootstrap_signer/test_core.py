"""Bootstrap tokens and what they sign."""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from kybern.controllers.bootstrap_signer.core import Token, is_expired, sign, signed_data, signing_token

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def secret(**data: str) -> dict[str, Any]:
    data = {"token-id": "abcdef", "token-secret": "x", "usage-bootstrap-signing": "true"} | {
        key.replace("_", "-"): value for key, value in data.items()
    }
    return {
        "metadata": {"name": "bootstrap-token-abcdef"},
        "type": "bootstrap.kubernetes.io/token",
        "data": {key: b64encode(value.encode()).decode() for key, value in data.items()},
    }


@pytest.mark.parametrize(
    ("found", "signs"),
    [
        (secret(), True),
        (secret(expiration="2026-01-02T00:00:00Z"), True),
        (secret(expiration="2025-12-31T00:00:00Z"), False),
        (secret(expiration="soon"), False),
        (secret(usage_bootstrap_signing="false"), False),
        (secret(token_id="other"), False),
        ({**secret(), "type": "Opaque"}, False),
    ],
)
def test_signing_token(found: dict[str, Any], signs: bool) -> None:
    assert (signing_token(found, NOW) is not None) is signs


def test_a_token_without_an_end_does_not_expire() -> None:
    assert not is_expired(secret(), NOW)


def test_a_detached_signature() -> None:
    """The header is {"alg":"HS256","kid":"abcdef"}, byte for byte: who joins compares texts."""
    header, content, signature = sign("text", Token("abcdef", "secret")).split(".")
    assert header == "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9"
    assert content == ""
    assert len(signature) == 43


def test_signatures_of_tokens_that_are_gone_go() -> None:
    data = {"kubeconfig": "text", "jws-kubeconfig-old": "x", "other": "y"}
    assert sorted(signed_data(data, [Token("new", "s")])) == ["jws-kubeconfig-new", "kubeconfig", "other"]
    assert signed_data({"jws-kubeconfig-old": "x"}, [Token("new", "s")]) == {}
