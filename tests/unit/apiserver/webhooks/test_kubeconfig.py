"""The kubeconfig of a webhook."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kybern.apiserver.webhooks.kubeconfig import Users, read_kubeconfig, read_users
from kybern.apiserver.webhooks.target import ANONYMOUS, Target

BASE: dict[str, Any] = {
    "clusters": [{"name": "c", "cluster": {"server": "https://x:1/ask"}}],
    "users": [{"name": "u", "user": {}}],
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "x",
}


def read(folder: Path, **changes: Any) -> Any:
    path = folder / "config"
    path.write_text(yaml.safe_dump({**BASE, **changes}))
    return read_kubeconfig(path)


def user(**more: Any) -> dict[str, Any]:
    return {"users": [{"name": "u", "user": more}]}


def cluster(**more: Any) -> dict[str, Any]:
    return {"clusters": [{"name": "c", "cluster": {"server": "https://x:1/ask", **more}}]}


def test_credentials(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file\n")
    (tmp_path / "a.pem").write_text("CERT")
    assert read(tmp_path).target.url == "https://x:1/ask"
    assert read(tmp_path, **user(token="t")).credentials.authorization == "Bearer t"
    assert read(tmp_path, **user(tokenFile="token")).credentials.authorization == "Bearer from a file"
    assert read(tmp_path, **user(username="me", password="pw")).credentials.authorization == "Basic bWU6cHc="
    both = {"client-certificate": "a.pem", "client-key-data": "S0VZ"}
    assert read(tmp_path, **user(**both)).credentials.certificate == "CERTKEY"
    found = read(tmp_path, **cluster(**{"certificate-authority": "a.pem", "tls-server-name": "y"}))
    assert (found.target.ca, found.credentials.server_name) == ("CERT", "y")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no context": ({"current-context": "y"}, 'no entry "y" in contexts'),
    "no cluster": ({"clusters": []}, 'no entry "c" in clusters'),
    "plain HTTP": (cluster(server="http://x"), 'the cluster\'s server "http://x" is not an https:// URL'),
    "no base64": (user(**{"client-key-data": "%"}), "client-key-data is not base64 of PEM"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name: str, tmp_path: Path) -> None:
    changes, expected = WRONG[name]
    with pytest.raises(ValueError, match=re.escape(expected)):
        read(tmp_path, **changes)


HOSTS = {
    "https://s.n.svc:443/": "s.n.svc",
    "https://t.n.svc:443/": "*.n.svc",
    "https://t.n.svc:8443/": "*.svc:8443",
    "https://a.b.example.com/x": "*.example.com",
    "https://other.org/": "*",
    "https://127.0.0.1:99/": "127.0.0.1:99",
}


@pytest.mark.parametrize("url", HOSTS)
def test_users_by_host(url: str, tmp_path: Path) -> None:
    names = ("s.n.svc", "*.n.svc", "*.svc:8443", "*.example.com", "*", "127.0.0.1:99")
    users = [{"name": name, "user": {"token": name}} for name in names]
    (tmp_path / "users").write_text(yaml.safe_dump({"users": users}))
    assert read_users(tmp_path / "users").of(Target(url)).authorization == f"Bearer {HOSTS[url]}"


def test_the_usual_user(tmp_path: Path) -> None:
    assert Users().of(Target("https://x/")) is ANONYMOUS
    (tmp_path / "users").write_text(yaml.safe_dump({**BASE, **user(token="t")}))
    assert read_users(tmp_path / "users").of(Target("https://x/")).authorization == "Bearer t"


@pytest.mark.parametrize(
    "changes", [{"contexts": 5}, {"contexts": ["x"]}, {"users": [{"name": "u", "user": "x"}]}], ids=str
)
def test_a_file_of_another_form(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the kubeconfig has not the form that it must have"):
        read(tmp_path, **changes)
