"""kube-apiserver's command line."""

import re

import pytest

from kybern.envtest.core.flags import Given, UnknownFlag, help_text, last, read_flags


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param("--secure-port=1", {"secure-port": ("1",)}, id="equals"),
        pytest.param("--secure-port 1 --v 4", {"secure-port": ("1",), "v": ("4",)}, id="apart"),
        pytest.param("--allow-privileged --v=4", {"allow-privileged": ("true",), "v": ("4",)}, id="true alone"),
        pytest.param("--anonymous-auth=false", {"anonymous-auth": ("false",)}, id="false"),
        pytest.param("--service_account_issuer=a=b", {"service-account-issuer": ("a=b",)}, id="underscores"),
        pytest.param("--etcd-servers=a --etcd-servers=b", {"etcd-servers": ("a", "b")}, id="again"),
        pytest.param("-v=4", {"v": ("4",)}, id="short"),
        pytest.param("-h", {"help": ("true",)}, id="help"),
    ],
)
def test_read_flags(line: str, found: Given) -> None:
    assert read_flags(line.split()) == found


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--insecure-port=0", "unknown flag: --insecure-port"),
        ("--secure-port", "flag needs an argument: --secure-port"),
        ("--allow-privileged true", "unknown argument: true"),
    ],
)
def test_unknown_flags(line: str, message: str) -> None:
    with pytest.raises(UnknownFlag, match=message):
        read_flags(line.split())


def test_the_last_one_counts() -> None:
    assert last({"bind-address": ("a", "b")}, "bind-address") == "b"
    assert last({}, "bind-address", "c") == "c"


@pytest.mark.parametrize(("flag", "there"), [("secure-port", True), ("insecure-port", False)])
def test_envtest_finds_flags_in_the_help(flag: str, there: bool) -> None:
    assert bool(re.search(rf"(?m)^\s*--{flag}\b", help_text())) is there
