"""The kubeconfig of a webhook that authenticates or authorizes: one cluster to call, one user to be.

Files that it names are read once, paths relative to it.
"""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kybern.apiserver.webhooks.target import Credentials, Target

Object = dict[str, Any]


@dataclass(frozen=True)
class Remote:
    """Where, and as whom."""

    target: Target
    credentials: Credentials


def read_kubeconfig(path: Path) -> Remote:
    """Raises OSError, ValueError with a sentence."""
    try:
        config = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    if not isinstance(config, dict):
        raise ValueError("not a kubeconfig")
    wanted = config.get("current-context") or ""
    context = _named(config, "contexts", "context", wanted)
    cluster = _named(config, "clusters", "cluster", context.get("cluster") or "")
    user = _named(config, "users", "user", context["user"]) if context.get("user") else {}
    server = cluster.get("server") or ""
    if not server.startswith("https://"):
        raise ValueError(f'the cluster\'s server "{server}" is not an https:// URL')
    folder = path.parent
    ca = _pem(cluster, "certificate-authority", folder)
    token = user.get("token") or ""
    if user.get("tokenFile"):
        token = (folder / user["tokenFile"]).read_text().strip()
    basic = f"{user['username']}:{user.get('password') or ''}" if user.get("username") else ""
    credentials = Credentials(
        certificate=_pem(user, "client-certificate", folder) + _pem(user, "client-key", folder),
        authorization=f"Bearer {token}" if token else _basic(basic),
        server_name=cluster.get("tls-server-name") or "",
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )
    return Remote(Target(server if server.count("/") > 2 else f"{server}/", ca), credentials)


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
