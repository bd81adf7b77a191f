"""Claims of a JWT become a user as the configuration says."""

from typing import Any

import pytest

from kybern.apiserver.core.authentication.claims import user_of
from kybern.apiserver.core.authentication.id_token import ClaimsRefused
from kybern.apiserver.core.authentication.jwt_config import (
    Anonymous,
    ConfigurationInvalid,
    Issuer,
)
from kybern.apiserver.core.authentication.jwt_validation import read_configuration

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
    found = user_of(issuer(**members), CLAIMS)
    assert (found.name, found.groups, found.uid, dict(found.extra)) == expected


@pytest.mark.parametrize(
    ("members", "claims", "why"),
    [
        ({}, {"sub": ""}, "empty username is not allowed"),
        ({}, {"sub": 7.0}, 'parse username claims "sub": json: cannot unmarshal number into Go value of type string'),
        (
            {"claimMappings": {"username": {"claim": "name", "prefix": ""}}},
            {},
            'parse username claims "name": claim not present',
        ),
        (
            {"claimMappings": {"username": {"expression": "claims.team + claims.none"}}},
            {},
            "error evaluating username claim expression: expression 'claims.team . claims.none' resulted in error: no",
        ),
        (
            {"claimMappings": {"username": USERNAME, "uid": {"expression": "claims.groups"}}},
            {},
            "error evaluating uid claim expression: uid claim expression must return a string",
        ),
        (
            {"claimValidationRules": [{"claim": "team", "requiredValue": "b"}]},
            {},
            "required claim team value does not match. Got = a, want = b",
        ),
        (
            {"claimValidationRules": [{"claim": "none", "requiredValue": "b"}]},
            {},
            "required claim none not present in ID token",
        ),
        (
            {"claimValidationRules": [{"expression": "claims.team == 'b'", "message": "wrong team"}]},
            {},
            "claim validation expression: validation expression 'claims.team == 'b'' failed: wrong team",
        ),
        (
            {"userValidationRules": [{"expression": "!user.username.startsWith('oidc:')", "message": "no strangers"}]},
            {},
            "validation rule: validation expression '!user.username.startsWith.'oidc:'.' failed: no strangers",
        ),
        (
            {"claimMappings": {"username": {"claim": "email", "prefix": ""}}},
            {"email": "a@b", "email_verified": False},
            "email not verified",
        ),
        (
            {"claimMappings": {"username": {"claim": "email", "prefix": ""}}},
            {"email": "a@b", "email_verified": "yes"},
            "parse 'email_verified' claim: json: cannot unmarshal string into Go value of type bool",
        ),
        (
            {"claimMappings": {"username": USERNAME, "groups": {"claim": "groups", "prefix": ""}}},
            {"groups": {"a": 1}},
            'parse groups claim "groups": json: cannot unmarshal object into Go value of type string',
        ),
        (
            {"claimMappings": {"username": USERNAME, "groups": {"expression": "claims.groups"}}},
            {"groups": ["a", 1.0]},
            "error evaluating group claim expression: expression must return a string or a list of strings",
        ),
        (
            {
                "claimMappings": {"username": {"claim": "none", "prefix": ""}},
                "claimValidationRules": [{"claim": "team", "requiredValue": "b"}],
            },
            {},
            'parse username claims "none"',
        ),
    ],
)
def test_refusals(members: dict[str, Any], claims: dict[str, Any], why: str) -> None:
    with pytest.raises(ClaimsRefused, match=why):
        user_of(issuer(**members), {**CLAIMS, **claims})


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"issuer": {"url": "http://x", "audiences": ["a"]}}, "URL scheme must be https"),
        ({"issuer": {"url": "https://x?a=b", "audiences": ["a"]}}, "must not contain a query"),
        ({"issuer": {"url": "https://x"}}, "at least one"),
        ({"issuer": {"url": "https://x", "audiences": ["a", "b"]}}, "must be MatchAny"),
        ({"issuer": {"url": "https://x", "audiences": ["a", "a"], "audienceMatchPolicy": "MatchAny"}}, "Duplicate"),
        ({"issuer": {"url": "https://x", "audiences": ["a"], "certificateAuthority": "x"}}, "valid RSA or ECDSA"),
        ({"issuer": {"url": "https://u@x", "audiences": ["a"]}}, "must not contain a username or password"),
        (
            {"issuer": {"url": "https://x", "audiences": "a"}},
            r"struct field Issuer.jwt.issuer.audiences of type \[\]string",
        ),
        ({"issuer": {"uri": "https://x"}}, r'strict decoding error: unknown field "jwt\[0\].issuer.uri"'),
        ({"claimMappings": {}}, "claim or expression is required"),
        ({"claimMappings": {"username": {"claim": "sub"}}}, "prefix is required when claim is set"),
        ({"claimMappings": {"username": {"claim": "s", "expression": "claims.s"}}}, "can't both be set"),
        ({"claimMappings": {"username": {"expression": "claims."}}}, "compilation failed"),
        ({"claimMappings": {"username": {"expression": "claims.email"}}}, "claims.email_verified must be used in"),
        ({"claimMappings": {"username": {"expression": "claims.?email.orValue('')"}}}, "email_verified must be used"),
        ({"claimValidationRules": [{}]}, "Required value: claim or expression is required"),
        ({"claimValidationRules": [{"expression": "claims.a"}]}, "must evaluate to bool"),
        ({"claimValidationRules": [{"claim": "a"}, {"claim": "a"}]}, "Duplicate value"),
        ({"userValidationRules": [{"expression": ""}]}, "expression: Required value"),
        ({"userValidationRules": [{"expression": "user.name == ''"}]}, "undefined field 'name'"),
        (
            {"claimMappings": {"username": USERNAME, "extra": [{"key": "plain", "valueExpression": "'a'"}]}},
            "must be a domain-prefixed path",
        ),
        (
            {"claimMappings": {"username": USERNAME, "extra": [{"key": "a.k8s.io/x", "valueExpression": "'a'"}]}},
            "are reserved for Kubernetes use",
        ),
        (
            {"issuer": {"url": "http://x"}, "claimMappings": {}},
            r"^\[jwt\[0\].issuer.url: .*, jwt\[0\].issuer.audiences: .*, jwt\[0\].claimMappings.username: .*\]$",
        ),
    ],
)
def test_mistakes_are_named(members: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=message):
        read_configuration(document(**members))


def test_an_address_that_is_looked_at() -> None:
    mappings = {"username": {"expression": "claims.email_verified ? claims.email : ''"}}
    assert issuer(claimMappings=mappings).username.text == mappings["username"]["expression"]


def test_anonymous_paths() -> None:
    found = read_configuration({**document(), "anonymous": {"enabled": True, "conditions": [{"path": "/livez"}]}})
    assert found.anonymous == Anonymous(True, frozenset({"/livez"}))
    with pytest.raises(ConfigurationInvalid, match="enabled should be set to true"):
        read_configuration({**document(), "anonymous": {"enabled": False, "conditions": [{"path": "/livez"}]}})


@pytest.mark.parametrize(
    ("jti", "extra"),
    [("7", {"authentication.kubernetes.io/credential-id": ("JTI=7",)}), (7, {}), (None, {}), (["7"], {})],
)
def test_the_id_of_a_token(jti: Any, extra: dict[str, tuple[str, ...]]) -> None:
    assert user_of(issuer(), {**CLAIMS, "jti": jti}).extra == extra
