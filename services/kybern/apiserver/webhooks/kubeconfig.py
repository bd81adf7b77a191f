"""Kubeconfigs of webhooks: of one that authenticates or authorizes, one cluster to call and one user to be; of those of
admission, users by the hosts that they are shown to.

Files that it names are read once, paths relative to it.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from kybern.apiserver.core.well_formed import well_formed
from kybern.apiserver.webhooks.target import ANONYMOUS, HTTPS, Credentials, Target

Object = dict[str, Any]


@dataclass(frozen=True)
class Remote:
    """Where, and as whom."""

    target: Target
    credentials: Credentials


@dataclass(frozen=True)
class Users:
    """As whom to call which host: by `host:port` or `host`, by `*.domain`, by `*`, or as `usual`."""

    named: Mapping[str, Credentials] = field(default_factory=dict)
    usual: Credentials = ANONYMOUS

    def of(self, target: Target) -> Credentials:
        """For a webhook."""
        if not self.named and self.usual is ANONYMOUS:
            return ANONYMOUS
        place = urlsplit(target.url)
        host, port = place.hostname or "", place.port or HTTPS
        for asked in (f"{host}:{port}", *([host] if port == HTTPS else [])):
            steps = asked.split(".")
            for name in (asked, *(f"*.{'.'.join(steps[index:])}" for index in range(1, len(steps)))):
                if name in self.named:
                    return self.named[name]
        return self.named.get("*", self.usual)


@well_formed("the kubeconfig")
def read_users(path: Path) -> Users:
    """Raises OSError, ValueError with a sentence."""
    config = _load(path)
    named = {one.get("name") or "": _user(one.get("user") or {}, path.parent) for one in config.get("users") or ()}
    usual = ANONYMOUS
    if config.get("current-context"):
        context = _named(config, "contexts", "context", config["current-context"])
        usual = named.get(context.get("user") or "", ANONYMOUS)
    return Users(named, usual)


def _load(path: Path) -> Object:
    try:
        config = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    if not isinstance(config, dict):
        raise ValueError("not a kubeconfig")
    return config


@well_formed("the kubeconfig")
def read_kubeconfig(path: Path) -> Remote:
    """Raises OSError, ValueError with a sentence."""
    config = _load(path)
    wanted = config.get("current-context") or ""
    context = _named(config, "contexts", "context", wanted)
    cluster = _named(config, "clusters", "cluster", context.get("cluster") or "")
    user = _named(config, "users", "user", context["user"]) if context.get("user") else {}
    server = cluster.get("server") or ""
    if not server.startswith("https://"):
        raise ValueError(f'the cluster\'s server "{server}" is not an https:// URL')
    folder = path.parent
    ca = _pem(cluster, "certificate-authority", folder)
    credentials = replace(
        _user(user, folder),
        server_name=cluster.get("tls-server-name") or "",
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )
    return Remote(Target(server if server.count("/") > 2 else f"{server}/", ca), credentials)


def _user(user: Object, folder: Path) -> Credentials:
    token = user.get("token") or ""
    if user.get("tokenFile"):
        token = (folder / user["tokenFile"]).read_text().strip()
    basic = f"{user['username']}:{user.get('password') or ''}" if user.get("username") else ""
    return Credentials(
        certificate=_pem(user, "client-certificate", folder) + _pem(user, "client-key", folder),
        authorization=f"Bearer {token}" if token else _basic(basic),
    )


def _named(config: Object, member: str, part: str, name: str) -> Object:
    for one in config.get(member) or ():
        if one.get("name") == name:
            found: Object = one.get(part) or {}
            return found
    raise ValueError(f'no entry "{name}" in {member}')


def _pem(holder: Object, name: str, folder: Path) -> str:
    if holder.get(f"{name}-data"):
        try:
            return base64.b64decode(holder[f"{name}-data"], validate=True).decode("ascii")
        except (binascii.Error, ValueError):
            raise ValueError(f"{name}-data is not base64 of PEM") from None
    return (folder / holder[name]).read_text() if holder.get(name) else ""


def _basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}" if text else ""
