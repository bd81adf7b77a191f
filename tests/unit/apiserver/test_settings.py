"""What several flags say together."""

from argparse import ArgumentParser

import pytest

from kybern.apiserver.authentication.token_flags import Issuing
from kybern.apiserver.server import Settings
from kybern.apiserver.service import add_flags, read_settings
from kybern.runtime.main import ServiceFailure


def settings_of(flags: list[str]) -> Settings:
    parser = ArgumentParser()
    add_flags(parser)
    return read_settings(parser.parse_args(["--store=sqlite::memory:", *flags]))


@pytest.mark.parametrize(
    ("flags", "enabled"),
    [
        ([], True),
        (["--anonymous-auth=false"], False),
        (["--authorization-mode=RBAC"], True),
        (["--authorization-mode=AlwaysAllow"], False),
        (["--authorization-mode=AlwaysAllow,RBAC", "--anonymous-auth=true"], False),
    ],
    ids=str,
)
def test_nobody_is_not_to_do_everything(flags: list[str], enabled: bool) -> None:
    assert settings_of(flags).authentication.anonymous.enabled is enabled


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        pytest.param([], Issuing(), id="none"),
        pytest.param(
            ["--service-account-issuer=https://a", "--service-account-issuer=https://b"],
            Issuing(("https://a", "https://b")),
            id="two issuers",
        ),
        pytest.param(["--api-audiences=a,b", "--api-audiences=c"], Issuing(audiences=("a", "b", "c")), id="audiences"),
        pytest.param(
            ["--service-account-max-token-expiration=24h", "--service-account-extend-token-expiration=false"],
            Issuing(longest=86400, extends=False),
            id="times",
        ),
        pytest.param(["--service-account-jwks-uri=https://k/x"], Issuing(keys_url="https://k/x"), id="keys elsewhere"),
    ],
)
def test_tokens(flags: list[str], wanted: Issuing) -> None:
    assert settings_of(flags).issuing == wanted


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--service-account-max-token-expiration=59m", "must be between 1h and 4294967296 seconds"),
        ("--service-account-max-token-expiration=-1h", "must be between 1h"),
        ("--service-account-max-token-expiration=x", "--service-account-max-token-expiration: "),
        ("--service-account-issuer=", "must not be empty"),
        ("--service-account-jwks-uri=http://x", "requires https scheme"),
    ],
    ids=str,
)
def test_wrong_flags_of_tokens_are_a_sentence(flag: str, words: str) -> None:
    with pytest.raises(ServiceFailure, match=words):
        settings_of([flag])


@pytest.mark.parametrize(
    ("flag", "name", "wanted"),
    [
        ("--service-node-port-range=100-200", "node_ports", (100, 200)),
        ("--service-node-port-range=100+10", "node_ports", (100, 110)),
        ("--service-node-port-range=100", "node_ports", (100, 100)),
        ("--event-ttl=90m", "event_ttl", 5400.0),
        ("--event-ttl=0s", "event_ttl", 0.0),
    ],
    ids=str,
)
def test_what_objects_are_given(flag: str, name: str, wanted: object) -> None:
    assert getattr(settings_of([flag]), name) == wanted


@pytest.mark.parametrize("text", ["", "0-5", "200-100", "1-65536", "a-b", "5-", "1+x", "1-2-3"])
def test_wrong_ranges_of_ports(text: str) -> None:
    with pytest.raises(ServiceFailure, match="no range of ports"):
        settings_of([f"--service-node-port-range={text}"])


def test_tolerations_by_flags() -> None:
    flags = ["--default-not-ready-toleration-seconds=10", "--default-unreachable-toleration-seconds=20"]
    assert settings_of(flags).admission.toleration_seconds == (10, 20)
