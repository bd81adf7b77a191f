"""Claims of a JWT become a user as the configuration says."""

from typing import Any

import pytest

from kybern.apiserver.core.authentication.claims import ClaimsRefused, matching_audiences, user_of
from kybern.apiserver.core.authentication.jwt_config import (
    Anonymous,
    ConfigurationInvalid,
    Issuer,
    read_configuration,
)

NOW = 1_000.0
CLAIMS = {"iss": "https://issuer", "aud": "kybern", "sub": "alice", "exp": 2000, "groups": ["devs", "ops"], "team": "a"}


def document(**members: Any) -> dict[str, Any]:
    entry = {
        "issuer": {"url": "https://issuer", "audiences": ["kybern"]},
        "claimMappings": {"username": {"claim": "sub", "prefix": "oidc:"}},
        **members,
    }
    return {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": [entry]}


def issuer(**members: Any) -> Issuer:
    return read_configuration(document(**members)).issuers[0]


USERNAME = {"claim": "sub", "prefix": "oidc:"}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({}, ("oidc:alice", (), "", {}), id="name alone"),
        pytest.param(
            {"claimMappings": {"username": USERNAME, "groups": {"claim": "groups", "prefix": "g:"}}},
            ("oidc:alice", ("g:devs", "g:ops"), "", {}),
            id="groups",
        ),
        pytest.param(
            {"claimMappings": {"username": {"expression": "claims.team + '/' + claims.sub"}, "uid": {"claim": "team"}}},
            ("a/alice", (), "a", {}),
            id="by expression",
        ),
        pytest.param(
            {
                "claimMappings": {
                    "username": USERNAME,
                    "groups": {"expression": "claims.groups.filter(g, g != 'ops')"},
                    "extra": [{"key": "example.com/team", "valueExpression": "claims.team"}],
                }
            },
            ("oidc:alice", ("devs",), "", {"example.com/team": ("a",)}),
            id="extra",
        ),
    ],
)
def test_mappings(members: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = user_of(issuer(**members), CLAIMS, NOW)
    assert (found.name, found.groups, found.uid, dict(found.extra)) == expected


@pytest.mark.parametrize(
    ("members", "claims", "why"),
    [
        ({}, {"exp": 1000}, "token is expired"),
        ({}, {"exp": None}, "token has no expiry"),
        ({}, {"nbf": 5000}, "not before"),
        ({}, {"sub": ""}, "the username is empty"),
        ({}, {"sub": 7}, "is no string"),
        ({"claimValidationRules": [{"claim": "team", "requiredValue": "b"}]}, {}, 'does not have the value "b"'),
        (
            {"claimValidationRules": [{"expression": "claims.team == 'b'", "message": "wrong team"}]},
            {},
            "wrong team",
        ),
        (
            {"userValidationRules": [{"expression": "!user.username.startsWith('oidc:')", "message": "no strangers"}]},
            {},
            "no strangers",
        ),
        (
            {"claimMappings": {"username": {"claim": "email", "prefix": ""}}},
            {"email": "a@b", "email_verified": False},
            "email not verified",
        ),
        (
            {"claimMappings": {"username": USERNAME, "groups": {"claim": "groups", "prefix": ""}}},
            {"groups": {"a": 1}},
            "neither a string nor a list",
        ),
    ],
)
def test_refusals(members: dict[str, Any], claims: dict[str, Any], why: str) -> None:
    with pytest.raises(ClaimsRefused, match=why):
        user_of(issuer(**members), {**CLAIMS, **claims}, NOW)


def test_audiences() -> None:
    two = issuer(
        issuer={"url": "https://issuer", "audiences": ["a", "b"], "audienceMatchPolicy": "MatchAny"},
    )
    assert matching_audiences(two, {"aud": ["b", "c"]}) == ("b",)
    assert matching_audiences(two, {"aud": "a"}) == ("a",)
    with pytest.raises(ClaimsRefused, match="expected audience"):
        matching_audiences(two, {"aud": ["c"]})


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"issuer": {"url": "http://x", "audiences": ["a"]}}, "URL scheme must be https"),
        ({"issuer": {"url": "https://x?a=b", "audiences": ["a"]}}, "must not contain a query"),
        ({"issuer": {"url": "https://x"}}, "at least one"),
        ({"issuer": {"url": "https://x", "audiences": ["a", "b"]}}, "must be MatchAny"),
        ({"claimMappings": {}}, "claim or expression is required"),
        ({"claimMappings": {"username": {"claim": "sub"}}}, "prefix is required when claim is set"),
        ({"claimMappings": {"username": {"claim": "s", "expression": "claims.s"}}}, "can't both be set"),
        ({"claimMappings": {"username": {"expression": "claims."}}}, "compilation failed"),
        ({"claimValidationRules": [{}]}, "exactly one of claim and expression"),
        ({"userValidationRules": [{"expression": ""}]}, "expression is required"),
        (
            {"claimMappings": {"username": USERNAME, "extra": [{"key": "plain", "valueExpression": "'a'"}]}},
            "must be a lower-case domain-prefixed path",
        ),
    ],
)
def test_mistakes_are_named(members: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=message):
        read_configuration(document(**members))


def test_anonymous_paths() -> None:
    found = read_configuration({**document(), "anonymous": {"enabled": True, "conditions": [{"path": "/livez"}]}})
    assert found.anonymous == Anonymous(True, frozenset({"/livez"}))
    with pytest.raises(ConfigurationInvalid, match="enabled should be set to true"):
        read_configuration({**document(), "anonymous": {"enabled": False, "conditions": [{"path": "/livez"}]}})
