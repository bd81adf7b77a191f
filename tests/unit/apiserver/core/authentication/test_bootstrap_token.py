"""Whom a bootstrap token speaks for."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from kybern.apiserver.core.authentication.bootstrap_token import Refused, split, user_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}


def secret(kind: str = "bootstrap.kubernetes.io/token", metadata: Any = None, **data: str) -> dict[str, Any]:
    said = {**GOOD, **{name.replace("_", "-"): value for name, value in data.items()}}
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in said.items()}
    return {"metadata": {"name": "bootstrap-token-abcdef", **(metadata or {})}, "type": kind, "data": encoded}


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("abcdef.0123456789abcdef", ("abcdef", "0123456789abcdef")),
        ("ABCDEF.0123456789abcdef", None),
        ("abcde.0123456789abcdef", None),
        ("abcdef.0123456789abcdef0", None),
        ("abcdef", None),
    ],
)
def test_what_is_a_bootstrap_token(token: str, expected: tuple[str, str] | None) -> None:
    assert split(token) == expected


@pytest.mark.parametrize(
    ("extra", "groups"),
    [
        ({}, ("system:bootstrappers",)),
        (
            {"auth_extra_groups": "system:bootstrappers:worker, system:bootstrappers:b:c"},
            ("system:bootstrappers", "system:bootstrappers:b:c", "system:bootstrappers:worker"),
        ),
        ({"expiration": "2026-01-01T00:00:01Z"}, ("system:bootstrappers",)),
    ],
)
def test_its_user(extra: dict[str, str], groups: tuple[str, ...]) -> None:
    found = user_of(secret(**extra), "abcdef", "0123456789abcdef", NOW)
    assert (found.name, found.groups) == ("system:bootstrap:abcdef", groups)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (secret("Opaque"), "another type"),
        (secret(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), "being deleted"),
        (secret(token_id="xxxxxx"), "another token"),
        (secret(token_secret="f" * 16), "secret is another"),
        (secret(expiration="2026-01-01T00:00:00Z"), "expired"),
        (secret(expiration="tomorrow"), "expired"),
        (secret(usage_bootstrap_authentication="false"), "not for authentication"),
        (secret(auth_extra_groups="system:masters"), "no group for bootstrap tokens"),
    ],
)
def test_refusals(given: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        user_of(given, "abcdef", "0123456789abcdef", NOW)
