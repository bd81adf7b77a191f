"""Tokens of several JWT issuers, good and bad in every way, as an AuthenticationConfiguration maps and judges them.

What differs on purpose: a token without a name is refused; groups may come from `split`, as the documentation shows.
"""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jwt_issuer import ABSENT, DISCOVERY, Issuer
from same import Both
from servers import PROGRAM, kube_apiserver, kybern

from kybern.apiserver.authentication.flags import AuthenticationSettings, read_structured

Object = dict[str, Any]
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
OWN = "https://kubernetes.default.svc.cluster.local"
PRESENT = re.compile(r"current time [^b]* before")  # Go prints its monotonic clock, too
NAME = {"username": {"claim": "sub", "prefix": ""}}
ISSUERS: dict[str, Object] = {
    "/plain": {},
    "/many": {"issuer": {"audiences": ["a", "b"], "audienceMatchPolicy": "MatchAny"}},
    "/claims": {
        "claimMappings": {
            "username": {"claim": "sub", "prefix": "x:"},
            "groups": {"claim": "groups", "prefix": "g:"},
            "uid": {"claim": "uid"},
            "extra": [
                {"key": "example.com/a", "valueExpression": "claims.a"},
                {"key": "example.com/b", "valueExpression": "has(claims.b) ? claims.b : ''"},
            ],
        }
    },
    "/cel": {
        "claimMappings": {
            "username": {"expression": "claims.u.name + ':' + claims.sub"},
            "groups": {"expression": "claims.g"},
            "uid": {"expression": "claims.i"},
            "extra": [{"key": "a.io/x", "valueExpression": "claims.x"}],
        },
        "claimValidationRules": [
            {"claim": "hd", "requiredValue": "x"},
            {"expression": "claims.n > 5", "message": "n too small"},
        ],
        "userValidationRules": [{"expression": "user.username != 'bad:jane'", "message": "bad user"}],
    },
    "/rules": {
        "claimValidationRules": [{"expression": "claims.aud == 'a'"}, {"expression": "'x' in claims.list"}],
        "userValidationRules": [
            {"expression": "!user.username.startsWith('system:')", "message": "no system"},
            {"expression": "size(user.groups) == 0 && user.uid == '' && size(user.extra) == 0"},
        ],
    },
    "/email": {"claimMappings": {"username": {"claim": "email", "prefix": ""}}},
    "/numbers": {
        "claimMappings": {"username": {"expression": "string(type(claims.n) == double) + string(claims.n)"}},
    },
    "/elsewhere": {"issuer": {"discoveryURL": "/there/doc"}},
    "/liar": {},
    "/nowhere": {},
}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    found = Issuer(tmp_path_factory.mktemp("issuer"))
    found.documents[f"/liar{DISCOVERY}"] = {"issuer": "https://x", "jwks_uri": f"{found.url}/x/jwks"}
    found.documents[f"/nowhere{DISCOVERY}"] = {"issuer": f"{found.url}/nowhere"}
    found.documents["/there/doc"] = {"issuer": f"{found.url}/elsewhere", "jwks_uri": f"{found.url}/x/jwks"}
    yield found
    found.close()


@pytest.fixture(scope="module")
def both(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    if not PROGRAM.exists():
        pytest.skip("needs tests/compare/build.sh")
    folder = tmp_path_factory.mktemp("issuers")
    listed = []
    for path, more in ISSUERS.items():
        about = {"url": issuer.url + path, "audiences": ["a"], "certificateAuthority": issuer.ca.pem.decode()}
        about |= more.get("issuer", {})
        if "discoveryURL" in about:
            about["discoveryURL"] = issuer.url + about["discoveryURL"]
        listed.append({"claimMappings": NAME, **more, "issuer": about})
    file, tokens = folder / "authentication.yaml", folder / "tokens.csv"
    frame = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration"}
    file.write_text(yaml.safe_dump({**frame, "jwt": listed, "anonymous": {"enabled": True}}))
    tokens.write_text('secret,alice,1,"devs"\n')
    read = read_structured(file, file.read_bytes())
    settings = AuthenticationSettings(read.issuers, read.anonymous, True, {}, file)
    flags = (f"--authentication-config={file}", f"--token-auth-file={tokens}")
    with (
        kybern(folder / "kybern", authentication=settings) as ours,
        kube_apiserver(folder / "kube", ours.ca, *flags) as theirs,
    ):
        found, admin = Both(theirs, ours), ("root", "system:masters")
        ready = {"spec": {"token": issuer.token("/elsewhere")}}
        deadline = time.monotonic() + 20
        while "authenticated" not in (found.ask("POST", REVIEWS, ready, user=admin).kube.document.get("status") or {}):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield found


def _said(both: Both, token: str) -> list[tuple[Any, ...]]:
    """What both say of a token, and to whom shows it."""
    review = both.ask("POST", REVIEWS, {"spec": {"token": token}})
    shown = both.ask("POST", SELF, {}, {"Authorization": f"Bearer {token}"}, ())
    found = []
    for reviewed, asked in ((review.kube, shown.kube), (review.kybern, shown.kybern)):
        status = reviewed.document["status"]
        status["error"] = PRESENT.sub("current time T before", status.get("error", ""))
        found.append((reviewed.status, status, asked.status, asked.document.get("status")))
    return found


def _all(both: Both, tokens: dict[str, str]) -> None:
    wrong = [(what, *said) for what, token in tokens.items() if (said := _said(both, token))[0] != said[1]]
    assert not wrong, "\n".join("\n  ".join(map(str, one)) for one in wrong)


VALUES: tuple[Any, ...] = ("x", True, ["a"], {"a": 1}, None, 5, 1.5e9, "1795330000", "", [5], ["a", 5], [None], [["a"]])


def test_registered_claims(both: Both, issuer: Issuer) -> None:
    now = int(time.time())
    odd: list[Object] = [{name: value} for name in ("exp", "nbf", "iat", "aud", "sub") for value in VALUES]
    odd = [one for one in odd if one not in ({"sub": None}, {"sub": ""})]
    odd += [{"exp": at} for at in (now - 10, now, now + 100.5, 10**17, -5, ABSENT)]
    odd += [{"nbf": now + after} for after in (30, 90, 400, -100)] + [{"iat": now + 10000}, {"aud": ABSENT}]
    odd += [{"exp": now - 5, "aud": "b"}, {"exp": now - 5, "sub": 5}, {"exp": now - 5, "nbf": now + 1000}]
    _all(both, {str(claims): issuer.token("/plain", **claims) for claims in odd})
    _all(both, {str(aud): issuer.token("/many", aud=aud) for aud in (["b"], ["a", "b", "c"], "b", ["c"], [])})


def test_signatures(both: Both, issuer: Issuer) -> None:
    good, now = issuer.token("/plain"), int(time.time())
    head, body, signature = good.split(".")
    tokens = {
        "good": good,
        "another key": issuer.token("/plain", key=issuer.keys["foreign"]),
        "ec": issuer.token("/plain", "ec"),
        "another key's name": issuer.token("/plain", "ec", issuer.keys["rsa"], "RS256"),
        "no such key": issuer.token("/plain", "zz"),
        "HS256": issuer.token("/plain", key="x" * 32, algorithm="HS256"),
        "none": issuer.token("/plain", algorithm="none"),
        "RS512": issuer.token("/plain", algorithm="RS512"),
        "PS256": issuer.token("/plain", algorithm="PS256"),
        "expired and not signed": issuer.token("/plain", key=issuer.keys["foreign"], exp=now - 5),
        "for others and not signed": issuer.token("/plain", key=issuer.keys["foreign"], aud="b"),
        "expired and HS256": issuer.token("/plain", key="x" * 32, algorithm="HS256", exp=now - 5),
        "padded": good + "=",
        "a star": good[:-1] + "*",
        "cut": good[:-4],
        "no signature": f"{head}.{body}.",
        "four parts": good + ".x",
        "no header": f"!!.{body}.{signature}",
        "header is no JSON": f"bm9wZQ.{body}.{signature}",
        "no payload": f"{head}.!!.{signature}",
        "garbage": "abc",
        "dots": "a.b.c",
        "long": "a" * 9000,
        "umlauts": "ü.ü.ü",
        "unknown": issuer.token("/unknown"),
        "with a slash": issuer.token("/plain/"),
        "elsewhere": issuer.token("/elsewhere"),
        "liar": issuer.token("/liar"),
        "nowhere": issuer.token("/nowhere"),
        "static": "secret",
    }
    tokens.pop("umlauts")  # no header has them
    _all(both, tokens)
    for odd in (" ", f" {good}", f"{good} ", f"{good}  b", f"\t{good}", f"{good}\n", "ü.ü.ü"):
        both.same("POST", REVIEWS, {"spec": {"token": odd}})
    for scheme in ("bearer ", "BEARER ", "Bearer  ", "Bearer", "Basic ", "Token "):
        both.same("POST", SELF, {}, {"Authorization": f"{scheme}{good}"}, ())


def test_claims(both: Both, issuer: Issuer) -> None:
    good: Object = {"groups": ["g"], "uid": "u", "a": "x"}
    cases = [
        {**good, name: value}
        for name in ("groups", "uid", "a", "b")
        for value in ("u", "", None, 5, ABSENT, ["u"], ["u", 5], [], {}, ["", "a"], [None], [["a"]], True, {"a": 1})
    ]
    _all(both, {str(one): issuer.token("/claims", **one) for one in cases})
    mail = [
        {"email": "a@b", **more} for more in ({}, *({"email_verified": one} for one in (True, False, "true", None, 1)))
    ]
    _all(both, {str(one): issuer.token("/email", **one) for one in (*mail, {"email": 5}, {})})
    _all(both, {str(n): issuer.token("/numbers", n=n) for n in (5, 5.5, 12345678901, 10**18, 10**22, True, "x", -0.0)})


def test_expressions(both: Both, issuer: Issuer) -> None:
    good: Object = {"u": {"name": "n"}, "g": ["g"], "i": "i", "x": "x", "hd": "x", "n": 6}
    bad: Object = {"u": {"name": 5}, "g": 5, "i": 5, "x": 5, "hd": "y", "n": 1}
    cases = [good, *({**good, one: bad[one], other: bad[other]} for one in bad for other in bad)]
    cases += [
        {**good, name: value} for name in good for value in (None, "", [], ["a"], {}, ABSENT, True, "text", [["a"]])
    ]
    cases += [{**good, "u": {"name": "bad"}}, {**good, "u": {"name": "bad"}, "x": 5}]
    _all(both, {str(one): issuer.token("/cel", **one) for one in cases})
    rules: list[Object] = [
        {"list": ["x"]},
        {"list": ["y"]},
        {"list": {"x": 1}},
        {"list": "x"},
        {},
        {"list": ["x"], "aud": ["a"]},
    ]
    rules += [{"list": ["x"], "sub": "system:x"}]
    _all(both, {str(one): issuer.token("/rules", **one) for one in rules})


def test_audiences_of_reviews(both: Both, issuer: Issuer) -> None:
    tokens = (
        "secret",
        "garbage",
        issuer.token("/plain"),
        issuer.token("/many", aud=["b"]),
        issuer.token("/plain", exp=5),
    )
    for token in tokens:
        for audiences in (["a"], ["b"], ["a", "z"], [OWN], [OWN, "z"], ["z", OWN]):
            both.same("POST", REVIEWS, {"spec": {"token": token, "audiences": audiences}})


def test_bootstrap_tokens(both: Both) -> None:
    data = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}
    body = {"metadata": {"name": "bootstrap-token-abcdef"}, "type": "bootstrap.kubernetes.io/token", "stringData": data}
    both.same("POST", "/api/v1/namespaces/kube-system/secrets", body)
    time.sleep(0.5)
    for token in ("abcdef.0123456789abcdef", "abcdef.0123456789abcdee", "abcdeg.0123456789abcdef"):
        for audiences in ([], ["a"], [OWN]):
            both.same("POST", REVIEWS, {"spec": {"token": token, "audiences": audiences}})
