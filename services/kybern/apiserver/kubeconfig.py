"""A kubeconfig as servers use it: where a webhook is, whom to trust there, and as whom to call."""

import base64
import binascii
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """The cluster and user of a kubeconfig's current context."""

    url: str
    tls: ssl.SSLContext | None
    headers: dict[str, str]


def read_kubeconfig(path: Path) -> Endpoint:
    """Raises OSError, ValueError with what is wrong in the file."""
    try:
        document = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    if not isinstance(document, dict):
        raise ValueError("it is no kubeconfig")
    context = _named(document, "contexts", document.get("current-context"), "context")
    cluster = _named(document, "clusters", context.get("cluster"), "cluster")
    user = _named(document, "users", context.get("user"), "user") if context.get("user") else {}
    url = cluster.get("server") or ""
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"cluster {context.get('cluster')!r} has no server with http:// or https://")
    headers = {}
    token = user.get("token") or (_file(path, user["tokenFile"]).decode().strip() if user.get("tokenFile") else "")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    elif user.get("username"):
        pair = f"{user['username']}:{user.get('password') or ''}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
    return Endpoint(url, _context(path, cluster, user) if url.startswith("https://") else None, headers)


def _named(document: Object, section: str, name: Any, member: str) -> Object:
    """An entry of a list of named things; the only one where nothing is named."""
    entries = [entry for entry in document.get(section) or () if isinstance(entry, dict)]
    found = [entry for entry in entries if entry.get("name") == name] if name else entries[:1]
    if not found or not isinstance(found[0].get(member), dict):
        raise ValueError(f"{section}: there is no {name!r}")
    entry: Object = found[0][member]
    return entry


def _file(path: Path, name: str) -> bytes:
    return (path.parent / name).read_bytes()


def _data(path: Path, entry: Object, name: str) -> bytes:
    """A certificate or key, in the file or beside it."""
    if entry.get(f"{name}-data"):
        try:
            return base64.b64decode(entry[f"{name}-data"], validate=True)
        except (binascii.Error, TypeError) as error:
            raise ValueError(f"{name}-data: {error}") from None
    return _file(path, entry[name]) if entry.get(name) else b""


def _context(path: Path, cluster: Object, user: Object) -> ssl.SSLContext:
    ca = _data(path, cluster, "certificate-authority")
    context = ssl.create_default_context(cadata=ca.decode() if ca else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    certificate, key = _data(path, user, "client-certificate"), _data(path, user, "client-key")
    if certificate:
        with tempfile.NamedTemporaryFile() as bundle:  # ssl reads certificates from files alone
            bundle.write(certificate + b"\n" + key)
            bundle.flush()
            context.load_cert_chain(bundle.name)
    return context
