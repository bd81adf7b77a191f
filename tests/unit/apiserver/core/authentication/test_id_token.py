"""ID tokens: what is said of those that are no tokens, of wrong types, of audiences and of times."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from kybern.apiserver.core.authentication.id_token import (
    ClaimsRefused,
    check_audience,
    check_times,
    check_types,
    issuer_of,
    take_apart,
)

NOW = datetime.fromtimestamp(1000, UTC)
PRESENT = "current time 1970-01-01 00:16:40 +0000 UTC"


def encoded(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(header: Any, payload: Any, signature: str = "c2ln") -> str:
    return f"{encoded(header)}.{encoded(payload)}.{signature}"


@pytest.mark.parametrize(
    ("text", "issuer"),
    [
        (token({}, {"iss": "https://a"}), "https://a"),
        (token({}, {"iss": 5}), None),
        (token({}, {}), None),
        (token({}, ["x"]), None),
        (token({}, b"{"), None),
        (token({}, b'{"iss": "a", "n": NaN}'), None),
        (token({}, b"[" * 100_000), None),
        (token({}, b"\xff"), None),
        ("a.b", None),
        ("a.!.c", None),
        ("a.b.c.d", None),
    ],
)
def test_issuers(text: str, issuer: str | None) -> None:
    assert issuer_of(text) == issuer


def test_a_token_taken_apart() -> None:
    found = take_apart(token({"alg": "RS256", "kid": "k"}, {"iss": "a", "n": 5}))
    assert (found.algorithm, found.key_id, found.claims) == ("RS256", "k", {"iss": "a", "n": 5.0})
    assert isinstance(found.claims["n"], float)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"!!.{encoded({})}.c2ln", "malformed jwt: illegal base64 data at input byte 0"),
        (token({}, {}, "c2ln="), "malformed jwt: illegal base64 data at input byte 4"),
        (token(b"nope", {}), "malformed jwt: invalid character 'o' in literal null .expecting 'u'."),
        (token([], {}), "malformed jwt: "),
    ],
)
def test_malformed_tokens(text: str, why: str) -> None:
    with pytest.raises(ClaimsRefused, match=why):
        take_apart(text)


OF = "json: cannot unmarshal {} into Go struct field idToken.{} of type {}"


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"sub": 5.0}, OF.format("number", "sub", "string")),
        ({"iss": ["a"]}, OF.format("array", "iss", "string")),
        ({"exp": True}, OF.format("bool", "exp", "json.Number")),
        ({"nbf": {}}, OF.format("object", "nbf", "json.Number")),
        ({"exp": "x"}, 'json: invalid number literal, trying to unmarshal "\\"x\\"" into Number'),
        ({"exp": "nan"}, 'json: invalid number literal, trying to unmarshal "\\"nan\\"" into Number'),
        ({"exp": float("inf")}, 'strconv.ParseFloat: parsing "inf": value out of range'),
        ({"exp": None}, 'strconv.ParseFloat: parsing "": invalid syntax'),
        ({"aud": 5.0}, OF.format("number", "aud", "[]string")),
        ({"aud": ["a", 5.0]}, OF.format("number", "aud", "string")),
    ],
)
def test_types(claims: dict[str, Any], why: str) -> None:
    with pytest.raises(ClaimsRefused) as caught:
        check_types(claims)
    assert caught.value.full == f"oidc: failed to unmarshal claims: {why}"


def test_types_that_may_be() -> None:
    check_types({"sub": None, "nbf": None, "exp": "12.5", "iat": 1.0, "aud": ["a", None], "other": [1]})


def test_audiences() -> None:
    check_audience(("a", "b"), {"aud": ["b", "c"]})
    check_audience(("a",), {"aud": "a"})
    with pytest.raises(ClaimsRefused, match=r'expected audience in \["a" "b"\] got \["c"\]'):
        check_audience(("a", "b"), {"aud": ["c"]})
    with pytest.raises(ClaimsRefused, match=r'expected audience "a" got \[\]'):
        check_audience(("a",), {})


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": 1000.0}, "token is expired (Token Expiry: 1970-01-01 00:16:40 +0000 UTC)"),
        ({"exp": 1e300}, "token is expired (Token Expiry: 1e+300)"),
        ({}, "token is expired (Token Expiry: 0001-01-01 00:00:00 +0000 UTC)"),
        (
            {"exp": 9000.0, "nbf": 1061.0},
            f"{PRESENT} before the nbf (not before) time: 1970-01-01 00:17:41 +0000 UTC",
        ),
        (
            {"exp": 1e18, "nbf": 1e300},
            f"{PRESENT} before the nbf (not before) time: 1e+300",
        ),
    ],
)
def test_times(claims: dict[str, Any], why: str) -> None:
    with pytest.raises(ClaimsRefused) as caught:
        check_times(claims, NOW)
    assert str(caught.value) == why


def test_times_that_hold() -> None:
    check_times({"exp": "1001", "nbf": 1060.0}, NOW)
