"""What kube-apiserver's flags say to Kybern's services."""

from pathlib import Path

import pytest

from kybern.envtest.core.flags import read_flags
from kybern.envtest.core.services import ControlPlane, Files, decide_services

FILES = Files(Path("/x/kybern"), "/x/sa.key", Path("/x/kybern/front-proxy-client"), "sqlite:/e/kybern.db")
ACCOUNTS = ("service-account-key-file", "service-account-issuer")
APISERVER = frozenset(("service-cluster-ip-range", "disable-admission-plugins", *ACCOUNTS))
GATEWAY = frozenset(("requestheader-client-ca-file", "requestheader-uid-headers", "secure-port"))


def decide(line: str, host: str = "192.0.2.1") -> ControlPlane:
    return decide_services(read_flags(line.split()), FILES, host, APISERVER, GATEWAY)


def value(arguments: tuple[str, ...], flag: str) -> str:
    return arguments[arguments.index(flag) + 1] if flag in arguments else ""


def test_what_envtest_asks_for() -> None:
    found = decide(
        "--allow-privileged=true --authorization-mode=RBAC --bind-address=127.0.0.1 --cert-dir=/x "
        "--client-ca-file=/x/ca --disable-admission-plugins=ServiceAccount "
        "--etcd-servers=http://h:1 --secure-port=2 "
        "--service-account-issuer=https://127.0.0.1:2/ --service-account-key-file=/x/sa.crt "
        "--service-account-signing-key-file=/x/sa.key --service-cluster-ip-range=10.0.0.0/24"
    )
    assert found == ControlPlane(
        (
            *("--store", "sqlite:/e/kybern.db", "--pki", "/x/kybern"),
            *("--proxy-client", "/x/kybern/front-proxy-client", "--authorization-mode", "RBAC"),
            *("--service-account-key", "/x/sa.key", "--advertise-address", "192.0.2.1:2"),
            *("--disable-admission-plugins=ServiceAccount", "--service-account-issuer=https://127.0.0.1:2/"),
            *("--service-account-key-file=/x/sa.crt", "--service-cluster-ip-range=10.0.0.0/24"),
        ),
        (
            *("--pki", "/x/kybern", "--proxy-client", "/x/kybern/front-proxy-client"),
            *("--bind-address", "127.0.0.1", "--secure-port", "2"),
        ),
        (),
    )


@pytest.mark.parametrize(
    ("line", "host", "advertised"),
    [
        ("", "192.0.2.1", "192.0.2.1:6443"),
        ("--bind-address=127.0.0.1", "192.0.2.1", "192.0.2.1:6443"),
        ("--bind-address=192.0.2.9", "192.0.2.1", "192.0.2.9:6443"),
        ("--advertise-address=192.0.2.7 --secure-port=1", "192.0.2.1", "192.0.2.7:1"),
        ("--bind-address=127.0.0.1", "", ""),
    ],
)
def test_the_address_for_others(line: str, host: str, advertised: str) -> None:
    assert value(decide(line, host).apiserver, "--advertise-address") == advertised


def test_defaults_are_those_of_kube_apiserver() -> None:
    found = decide("")
    assert value(found.apiserver, "--authorization-mode") == "AlwaysAllow"
    assert value(found.apiserver, "--service-cluster-ip-range") == "10.0.0.0/24"
    assert "--authorization-mode" not in decide("--authorization-config=/x/config").apiserver


def test_the_gateway_has_its_own() -> None:
    unnamed = decide("--requestheader-client-ca-file=/x/ca").gateway
    assert unnamed[-3:] == ("--requestheader-uid-headers", "", "--requestheader-client-ca-file=/x/ca")
    named = "--requestheader-client-ca-file=/x/ca --requestheader-uid-headers=U"
    assert decide(named).gateway[-2:] == tuple(named.split())


def test_what_nothing_here_knows_is_told() -> None:
    assert decide("--feature-gates=A=true --v=4 --storage-backend=x").passed_over == ("--feature-gates=A=true",)
