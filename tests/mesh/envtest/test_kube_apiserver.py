"""The programs that envtest starts, with the flags and files that it gives them."""

import http.client
import json
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kybern.cli.main import main
from kybern.pki.authority import Authority, Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.pki.service_account import open_signing_key
from kybern.testing.ports import free_ports

WITHIN = 60  # seconds
DAY = timedelta(days=1)


class Kit:
    """A folder of programs, as KUBEBUILDER_ASSETS names it, and the files of one test environment."""

    def __init__(self, folder: Path) -> None:
        self.assets, self.certs, self.etcd_data = folder / "assets", folder / "certs", folder / "etcd"
        assert main(["envtest", str(self.assets)]) == 0
        self.port, self.etcd_port = free_ports(2)
        now = datetime.now(UTC)
        self.clients: Authority = create_ca(folder / "clients", now)
        self.serving = create_ca(folder / "serving", now)
        pair = issue(self.serving, Identity("localhost", (), ("localhost",), ("127.0.0.1",)), DAY, now)
        self.certs.mkdir()
        (self.certs / "apiserver.crt").write_bytes(pair.cert)
        (self.certs / "apiserver.key").write_bytes(pair.key)
        (self.certs / "clients.crt").write_bytes(self.clients.pem)
        open_signing_key(self.certs)
        write_bundle(folder / "admin", issue(self.clients, Identity("admin", ("system:masters",)), DAY, now))
        self.tls = ssl.create_default_context(cadata=self.serving.pem.decode())
        self.tls.load_cert_chain(folder / "admin" / "tls.pem")

    @contextmanager
    def program(self, name: str, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
        """A running program; it must end by itself at SIGTERM, without complaint."""
        with subprocess.Popen([self.assets / name, *flags]) as process:
            try:
                yield process
                process.terminate()
                assert process.wait(WITHIN) == 0
            finally:
                process.kill()

    def etcd(self) -> Any:
        client, peer = f"http://127.0.0.1:{self.etcd_port}", "http://127.0.0.1:1"
        flags = (f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}")
        return self.program("etcd", *flags, f"--data-dir={self.etcd_data}", "--unsafe-no-fsync=true")

    def apiserver(self, *more: str) -> Any:
        return self.program(
            "kube-apiserver",
            "--allow-privileged=true",
            "--authorization-mode=RBAC",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.certs}",
            f"--client-ca-file={self.certs}/clients.crt",
            "--disable-admission-plugins=ServiceAccount",
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--secure-port={self.port}",
            f"--service-account-issuer=https://127.0.0.1:{self.port}/",
            f"--service-account-key-file={self.certs}/sa.pub",
            f"--service-account-signing-key-file={self.certs}/sa.key",
            "--service-cluster-ip-range=10.0.0.0/24",
            *more,
        )

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """As the administrator, with the serving certificate verified."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=WITHIN)
        try:
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        return response.status, json.loads(text) if text.startswith(b"{") else text

    def wait(self) -> None:
        """Until it is healthy."""
        end = time.monotonic() + WITHIN
        while time.monotonic() < end:
            try:
                if self.ask("GET", "/healthz")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError("not healthy in time")


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return Kit(tmp_path)


def test_an_environment(kit: Kit) -> None:
    with kit.etcd():
        with kit.apiserver("--feature-gates=Odd=true"):
            kit.wait()
            pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
            assert kit.ask("POST", "/api/v1/namespaces/default/pods", pod)[0] == 201, "no service account is asked for"
            service = kit.ask("GET", "/api/v1/namespaces/default/services/kubernetes")[1]
            assert service["spec"]["clusterIP"] == "10.0.0.1"
            issuer = kit.ask("GET", "/.well-known/openid-configuration")[1]["issuer"]
            assert issuer == f"https://127.0.0.1:{kit.port}/"
        with kit.apiserver():
            kit.wait()
            assert kit.ask("GET", "/api/v1/namespaces/default/pods/p")[0] == 200, "etcd keeps what it has"


def test_nothing_goes_on_without_its_data(kit: Kit) -> None:
    with kit.etcd(), kit.apiserver() as process:
        kit.wait()
        shutil.rmtree(kit.etcd_data)
        assert process.wait(WITHIN) == 0


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        (["--version"], 0, "Kubernetes v1.36.0\n"),
        (["--insecure-port=0"], 1, "Error: unknown flag: --insecure-port\n"),
        (["--secure-port=1"], 1, "Error: --etcd-servers must be specified\n"),
    ],
    ids=["version", "unknown", "no etcd"],
)
def test_wrong_use(kit: Kit, flags: Sequence[str], status: int, said: str) -> None:
    command = [kit.assets / "kube-apiserver", f"--cert-dir={kit.certs}", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN)
    assert (done.returncode, done.stdout + done.stderr) == (status, said)
