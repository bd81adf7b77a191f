"""A kube-apiserver 1.36 on etcd, and Kybern's gateway and apiserver: alone, without controllers, with the same clients.

Both trust one authority for client certificates, so one client can ask both. Everything listens on loopback.
"""

import asyncio
import http.client
import importlib.util
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kybern.pki.authority import Authority, Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.testing.etcd import Etcd, binary, new_member
from kybern.testing.ports import free_ports

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "build/tools/kube-apiserver-1.36"
DAY = timedelta(days=1)
FLAGS = (
    "--bind-address=127.0.0.1",
    "--advertise-address=192.0.2.2",
    "--endpoint-reconciler-type=none",
    "--authorization-mode=Node,RBAC",
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    "--service-cluster-ip-range=10.96.0.0/16",
    "--enable-bootstrap-token-auth",
    "--allow-privileged",
    "--requestheader-allowed-names=front-proxy-client",
    "--requestheader-username-headers=X-Remote-User",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
)


@dataclass(frozen=True)
class Answer:
    """What a server said to one request."""

    status: int
    headers: Mapping[str, str]  # names in lower case; several of one name are joined by ", "
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """One of the two; a connection a user is kept."""

    name: str
    port: int
    ca: Authority
    folder: Path
    _connections: dict[tuple[str, ...], http.client.HTTPSConnection] = field(default_factory=dict)

    def tls(self, *user: str) -> ssl.SSLContext:
        """TLS of a client; with the certificate of the user (name, then groups) if one is named."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if user:
            folder = self.folder / f"{self.name}-{user[0].replace('/', '_')}"
            write_bundle(folder, issue(self.ca, Identity(user[0], user[1:]), DAY, datetime.now(UTC)))
            context.load_cert_chain(folder / "tls.pem")
        return context

    def ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], user: tuple[str, ...]
    ) -> Answer:
        """One request; a watch must end by itself (`timeoutSeconds`)."""
        for again in (True, False):
            connection = self._connections.get(user)
            if connection is None:
                connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls(*user), timeout=60)
                self._connections[user] = connection
            try:
                connection.request(method, path, body, dict(headers))
                response = connection.getresponse()
                found: dict[str, str] = {}
                for name, value in response.getheaders():
                    found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
                return Answer(response.status, found, response.read())
            except (http.client.HTTPException, OSError):
                connection.close()
                del self._connections[user]
                if not again:
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


def _write_keys(folder: Path, ca: Authority) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "clients.crt").write_bytes(ca.pem)


@contextmanager
def kube_apiserver(folder: Path, ca: Authority, *flags: str, fsync: bool = False) -> Iterator[Server]:
    """kube-apiserver 1.36 (`tests/compare/build.sh`) on an etcd of its own."""
    _write_keys(folder, ca)
    etcd: Etcd = new_member(folder, "etcd", program=binary(newer=True) or binary(), fsync=fsync)
    etcd.start()
    (port,) = free_ports(1)
    proxy_ca = create_ca(folder / "front-proxy-ca", datetime.now(UTC))
    write_bundle(folder / "front-proxy", issue(proxy_ca, Identity("front-proxy-client"), DAY, datetime.now(UTC)))
    (folder / "front-proxy-ca.crt").write_bytes(proxy_ca.pem)
    command = [str(PROGRAM), f"--etcd-servers=http://{etcd.client}", f"--secure-port={port}", *FLAGS, *flags]
    command += [f"--cert-dir={folder}/certs", f"--client-ca-file={folder}/clients.crt"]
    command += [f"--service-account-signing-key-file={folder}/sa.key"]
    command += [
        f"--service-account-key-file={folder}/sa.key",
        f"--requestheader-client-ca-file={folder}/front-proxy-ca.crt",
    ]
    command += [
        f"--proxy-client-cert-file={folder}/front-proxy/tls.pem",
        f"--proxy-client-key-file={folder}/front-proxy/tls.pem",
    ]
    with (folder / "kube-apiserver.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    server = Server("kube", port, ca, folder)
    try:
        _wait(server, lambda: process.poll() is None)
        yield server
    finally:
        server.close()
        process.kill()
        process.wait()
        etcd.kill()


def _wait(server: Server, alive: Any) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and alive():
        try:
            if server.ask("GET", "/readyz", None, {}, ("root", "system:masters")).status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{server.name} did not become ready; its log is in {server.folder}")


def _fronts() -> Any:
    path = ROOT / "tests/mesh/gateway/conftest.py"
    spec = importlib.util.spec_from_file_location("gateway_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def kybern(folder: Path, **settings: Any) -> Iterator[Server]:
    """Gateway and apiserver in one event loop, in a thread; `settings` are further ones of the apiserver."""
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    found: list[Any] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    done: asyncio.Event = asyncio.Event()

    async def run() -> None:
        async with _fronts().front(folder, port, **settings) as front:
            found.append(front.ca)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        if not ready.wait(60):
            raise SystemExit("Kybern did not become ready")
        server = Server("kybern", port, found[0], folder)
        yield server
        server.close()
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()
