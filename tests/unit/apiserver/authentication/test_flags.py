"""Flags of authentication become settings, or one sentence."""

import base64
from argparse import ArgumentParser
from pathlib import Path

import pytest
import yaml

from kybern.apiserver.authentication.flags import AuthenticationSettings, add_authentication_flags, read_authentication
from kybern.apiserver.core.authentication.jwt_config import Anonymous


def read(*flags: str) -> AuthenticationSettings:
    parser = ArgumentParser()
    parser.add_argument("--anonymous-auth", default="true")
    add_authentication_flags(parser)
    return read_authentication(parser.parse_args(flags))


def configuration(tmp_path: Path, **members: object) -> str:
    issuer = {"url": "https://a", "audiences": ["x"]}
    entry = {"issuer": issuer, "claimMappings": {"username": {"claim": "sub", "prefix": ""}}}
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [entry],
        **members,
    }
    path = tmp_path / "authentication.yaml"
    path.write_text(yaml.safe_dump(document))
    return f"--authentication-config={path}"


def test_without_flags() -> None:
    assert read() == AuthenticationSettings()
    assert read("--anonymous-auth=false").anonymous == Anonymous(False)
    assert not read("--enable-bootstrap-token-auth=false").bootstrap_tokens


@pytest.mark.parametrize(
    ("flags", "prefix"),
    [
        ([], "https://issuer#"),
        (["--oidc-username-prefix=-"], ""),
        (["--oidc-username-prefix=o:"], "o:"),
        (["--oidc-username-claim=email"], ""),
    ],
)
def test_names_of_one_issuer_have_a_prefix(flags: list[str], prefix: str) -> None:
    (issuer,) = read("--oidc-issuer-url=https://issuer", "--oidc-client-id=me", *flags).issuers
    assert (issuer.url, issuer.audiences, issuer.username.prefix) == ("https://issuer", ("me",), prefix)
    assert issuer.document_url == "https://issuer/.well-known/openid-configuration"
    assert issuer.algorithms == ("RS256",)


def test_required_claims_and_groups() -> None:
    flags = (
        "--oidc-required-claim=a=b",
        "--oidc-required-claim=c=d=e",
        "--oidc-groups-claim=g",
        "--oidc-groups-prefix=p",
    )
    (issuer,) = read("--oidc-issuer-url=https://issuer", "--oidc-client-id=me", *flags).issuers
    assert issuer.required == {"a": "b", "c": "d=e"}
    assert (issuer.groups.claim, issuer.groups.prefix) == ("g", "p")


def test_a_configuration_file(tmp_path: Path) -> None:
    found = read(configuration(tmp_path, anonymous={"enabled": False}))
    assert [issuer.url for issuer in found.issuers] == ["https://a"]
    assert found.anonymous == Anonymous(False)
    assert found.file == tmp_path / "authentication.yaml"


def test_basic_auth_file(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text('secret,bob,7,"a,b"\n')
    (pair,) = read(f"--basic-auth-file={path}").basic
    assert base64.b64decode(pair) == b"bob:secret"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--oidc-issuer-url=https://a"], "must be specified together"),
        (["--oidc-issuer-url=http://a", "--oidc-client-id=b"], "URL scheme must be https"),
        (["--oidc-issuer-url=https://a", "--oidc-client-id=b", "--oidc-signing-algs=HS256"], "'HS256' is not one of"),
        (["--oidc-issuer-url=https://a", "--oidc-client-id=b", "--oidc-required-claim=a"], "not NAME=VALUE"),
        (["--oidc-client-id=b", "CONFIG"], "are mutually exclusive"),
    ],
)
def test_what_is_wrong_is_said(flags: list[str], words: str, tmp_path: Path) -> None:
    given = [configuration(tmp_path) if flag == "CONFIG" else flag for flag in flags]
    with pytest.raises(ValueError, match=words):
        read(*given)


def test_anonymous_is_said_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mutually exclusive"):
        read("--anonymous-auth=false", configuration(tmp_path, anonymous={"enabled": True}))
    with pytest.raises(ValueError, match="it must be an AuthenticationConfiguration"):
        read(configuration(tmp_path, kind="Other"))


@pytest.mark.parametrize(
    "members",
    [
        {"jwt": ["x"]},
        {"jwt": [{"issuer": "x"}]},
        {"jwt": 5},
        {"jwt": [{"issuer": {"url": 5}}]},
        {"anonymous": "yes"},
        {"anonymous": {"enabled": True, "conditions": ["/livez"]}},
    ],
    ids=str,
)
def test_a_file_of_another_form_is_one_sentence(tmp_path: Path, members: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"--authentication-config .*authentication.yaml: "):
        read(configuration(tmp_path, **members))
