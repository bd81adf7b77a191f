"""Tokens where flags name issuers and audiences, and limit their time."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from same import ROOT_USER, Both
from servers import PROGRAM, kube_apiserver, kybern
from test_tokens import ACCOUNT, HEADERS, ISSUER, MOUNTED, REVIEWS, SPECS, alike, uids

from kybern.apiserver.authentication.token_flags import Issuing

BEFORE = "https://before.example"
DISCOVERY = "/.well-known/openid-configuration"
_ = uids  # the fixture


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    if not PROGRAM.exists():
        pytest.skip("needs tests/compare/build.sh")
    folder = tmp_path_factory.mktemp("token-flags")
    flags = (
        f"--service-account-issuer={BEFORE}",
        "--api-audiences=api,vault",
        "--service-account-max-token-expiration=2h",
    )
    issuing = Issuing((ISSUER, BEFORE), ("api", "vault"), 7200)
    with kybern(folder / "kybern", issuing=issuing) as ours, kube_apiserver(folder / "kube", ours.ca, *flags) as theirs:
        yield Both(theirs, ours)


@pytest.mark.parametrize("spec", [*MOUNTED, *SPECS, {"expirationSeconds": 7200}, {"expirationSeconds": 7201}], ids=str)
def test_requests(both: Both, uids: Any, spec: Any) -> None:
    alike(both, f"{ACCOUNT}/token", lambda _: {"spec": spec})


@pytest.mark.parametrize("audiences", [[], ["api"], ["vault", "x"], [ISSUER], [BEFORE]], ids=str)
def test_reviews(both: Both, uids: Any, audiences: Any) -> None:
    for wanted in ([], ["api"], ["vault", "x"], [ISSUER], ["vault", "api"]):
        body = json.dumps({"spec": {"audiences": wanted}}).encode()
        tokens = {
            server.name: server.ask("POST", f"{ACCOUNT}/token", body, HEADERS, ROOT_USER).document["status"]["token"]
            for server in (both.kube, both.kybern)
        }
        alike(
            both,
            REVIEWS,
            lambda server, t=tokens: {"spec": {"token": t[server.name], "audiences": audiences}},
            lambda server, t=tokens: str(t[server.name]),
        )


def test_issuer(both: Both) -> None:
    """But for the port, and the keys, which are of another kind in tests of Kybern."""
    documents = [server.ask("GET", DISCOVERY, None, {}, ROOT_USER).document for server in (both.kube, both.kybern)]
    for one in documents:
        assert one.pop("id_token_signing_alg_values_supported") in (["RS256"], ["ES256"])
        one["jwks_uri"] = re.sub(":[0-9]+/", ":PORT/", one["jwks_uri"])
    assert documents[0] == documents[1]
