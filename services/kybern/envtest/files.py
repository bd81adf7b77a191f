"""The files that kube-apiserver's flags name, put where Kybern's services look for theirs."""

import json
import shutil
import tempfile
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from kybern.envtest.core.flags import Given, last
from kybern.envtest.core.services import Files
from kybern.envtest.etcd import PLACE
from kybern.pki.authority import Authority, Identity, create_ca, issue
from kybern.pki.files import write_atomic, write_bundle
from kybern.pki.source import BUNDLE

FRONT_PROXY = "front-proxy-client"
FOLDER = "kybern"  # within --cert-dir
LIFETIME = timedelta(days=365)
WITHIN = 5.0  # seconds for etcd's answer


def write_files(given: Given, host: str) -> Files:
    """Everything that the services read. Raises OSError, ValueError."""
    now = datetime.now(UTC)
    cert_dir = last(given, "cert-dir")
    folder = Path(cert_dir or tempfile.mkdtemp(prefix="kybern-")) / FOLDER
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier start with the same folder
    authority = create_ca(folder / "ca", now)
    _serving(given, folder, authority, host, now)
    return Files(
        folder,
        last(given, "service-account-signing-key-file"),
        _proxy_client(given, folder, authority, now),
        find_store(given),
    )


def _serving(given: Given, folder: Path, authority: Authority, host: str, now: datetime) -> None:
    """The certificate of the port: the one that flags name, the one in --cert-dir, or a new one."""
    beside = Path(last(given, "cert-dir", "."))
    cert = Path(last(given, "tls-cert-file") or beside / "apiserver.crt")
    key = Path(last(given, "tls-private-key-file") or beside / "apiserver.key")
    clients = last(given, "client-ca-file")
    trusted = Path(clients).read_bytes() if clients else authority.pem
    if cert.exists() or "tls-cert-file" in given:
        write_atomic(folder / BUNDLE, b"\n".join((key.read_bytes(), cert.read_bytes(), trusted)), 0o600)
        return
    ips = {"127.0.0.1", last(given, "bind-address", "127.0.0.1"), host} - {"", "0.0.0.0", "::"}
    pair = issue(authority, Identity("kube-apiserver", (), ("localhost", "kubernetes"), sorted(ips)), LIFETIME, now)
    write_atomic(folder / BUNDLE, pair.key + pair.cert + trusted, 0o600)
    write_atomic(beside / "apiserver.crt", pair.cert, 0o644)
    write_atomic(beside / "apiserver.key", pair.key, 0o600)


def _proxy_client(given: Given, folder: Path, authority: Authority, now: datetime) -> Path:
    """What extension API servers are shown."""
    found = folder / FRONT_PROXY
    if "proxy-client-cert-file" not in given:
        write_bundle(found, issue(authority, Identity(FRONT_PROXY), LIFETIME, now))
        return found
    found.mkdir(mode=0o700)
    trusted = last(given, "requestheader-client-ca-file")
    parts = [Path(last(given, f"proxy-client-{what}-file")).read_bytes() for what in ("key", "cert")]
    parts.append(Path(trusted).read_bytes() if trusted else authority.pem)
    write_atomic(found / BUNDLE, b"\n".join(parts), 0o600)
    return found


def find_store(given: Given) -> str:
    """--store: SQLite beside our stand-in for etcd, or a real etcd. Raises ValueError, OSError."""
    servers = [urlsplit(url) for url in ",".join(given.get("etcd-servers", ())).split(",") if url]
    if not servers:
        raise ValueError("--etcd-servers must be specified")
    root = last(given, "etcd-prefix", "/registry").strip("/")
    if servers[0].scheme == "http" and (place := _ask(f"http://{servers[0].netloc}{PLACE}")):
        if root != "registry":
            raise ValueError("--etcd-prefix: only /registry is here")
        return f"sqlite:{place}/kybern.db"
    return "etcd://" + ",".join(server.netloc for server in servers) + (f"/{root}" if root != "registry" else "")


def _ask(url: str) -> str:
    """Where our stand-in for etcd keeps its data; "" of anything else."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=WITHIN) as answer:
            return str(json.load(answer))
    except (OSError, ValueError):
        return ""
