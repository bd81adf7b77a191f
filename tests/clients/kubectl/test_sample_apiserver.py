"""Kubernetes' own example of an extension API server, on an etcd of its own, behind the cluster: kubectl all the way.

It delegates authentication and authorization to the cluster, as every extension API server does.
"""

import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.testing.cluster import Cluster, Kubectl
from kybern.testing.ports import free_ports

TOOLS = Path(__file__).parents[3] / "build" / "tools"
BINARY = TOOLS / "sample-apiserver-0.36"
GROUP = "wardle.example.com"
VERSIONS = {"v1alpha1": 200, "v1beta1": 300}


def start_etcd(folder: Path, port: int, peer: int) -> subprocess.Popen[bytes]:
    binary = next((str(path) for path in sorted(TOOLS.glob("etcd-3*"))), None) or shutil.which("etcd")
    if binary is None:
        pytest.skip("etcd is not here")
    client, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    flags = {
        "data-dir": str(folder / "etcd"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"default={peers}",
    }
    line = [binary, *(f"--{name}={value}" for name, value in flags.items())]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def wardle(kubectl: Kubectl, cluster: Cluster, tmp_path: Path) -> Iterator[Kubectl]:
    """The cluster with wardle.example.com."""
    if not BINARY.exists():
        pytest.skip("the example server is not here (sh tools/sample-apiserver.sh)")
    now, (port, etcd_port, peer) = datetime.now(UTC), free_ports(3)
    ca = create_ca(tmp_path / "ca", now)
    names = (f"api.{kubectl.namespace}.svc",)
    write_bundle(tmp_path / "tls", issue(ca, Identity("api", (), names), timedelta(days=1), now))
    etcd = start_etcd(tmp_path, etcd_port, peer)
    kubeconfig = cluster.kubeconfig
    flags = {
        "etcd-servers": f"http://127.0.0.1:{etcd_port}",
        "bind-address": "127.0.0.1",
        "secure-port": port,
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "tls-cert-file": tmp_path / "tls" / "tls.crt",
        "tls-private-key-file": tmp_path / "tls" / "tls.key",
    }
    line = [str(BINARY), *(f"--{name}={value}" for name, value in flags.items())]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(line, stdout=log, stderr=log)
    try:
        kubectl("create", "service", "externalname", "api", "--external-name", "localhost")
        for version, priority in VERSIONS.items():
            spec = {
                "group": GROUP,
                "version": version,
                "groupPriorityMinimum": 2000,
                "versionPriority": priority,
                "service": {"namespace": kubectl.namespace, "name": "api", "port": port},
                "caBundle": b64encode(ca.pem).decode(),
            }
            metadata = {"name": f"{version}.{GROUP}"}
            kind = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": metadata, "spec": spec}
            kubectl("apply", "-f", "-", stdin=json.dumps(kind))
        for version in VERSIONS:
            kubectl("wait", f"apiservice/{version}.{GROUP}", "--for=condition=Available", "--timeout=60s")
        yield kubectl
    finally:
        kubectl("delete", "apiservice", *(f"{version}.{GROUP}" for version in VERSIONS), "--ignore-not-found")
        for process in (server, etcd):
            process.terminate()
            process.wait(20)


def test_the_sample_api_server(wardle: Kubectl) -> None:
    flunder = {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": "Flunder",
        "metadata": {"name": "a"},
        "spec": {"flunderReference": "b", "referenceType": "Flunder"},
    }
    assert "flunders" in wardle("api-resources", "--api-group", GROUP)
    wardle("apply", "-f", "-", stdin=json.dumps(flunder))
    assert wardle("get", "flunders").splitlines()[0].split() == ["NAME", "CREATED", "AT"]
    assert wardle("get", f"flunders.v1alpha1.{GROUP}", "a", "-o", "jsonpath={.spec.reference}") == "b"
    assert "flunderReference" in wardle("explain", "flunders.spec")
    watch = subprocess.Popen(
        wardle.command("get", "flunders", "--watch", "-o", "name"),
        env=wardle.environment(),
        stdout=subprocess.PIPE,
    )
    assert watch.stdout is not None
    assert watch.stdout.readline() == f"flunder.{GROUP}/a\n".encode()  # it is there; from here on, what happens to it
    flunder["spec"] = {"flunderReference": "c", "referenceType": "Flunder"}
    wardle("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(flunder))
    assert watch.stdout.readline() == f"flunder.{GROUP}/a\n".encode()
    watch.terminate()
    watch.wait(10)
    watch.stdout.close()
    refused = wardle.error("get", "flunders", "--as", "nobody")
    assert f'User "nobody" cannot list resource "flunders" in API group "{GROUP}"' in refused
    strict = {**flunder, "metadata": {"name": "x"}, "spec": {"nope": 1}}
    assert 'unknown field "spec.nope"' in wardle.error("create", "-f", "-", stdin=json.dumps(strict))
    wardle("delete", "flunder", "a")
    assert wardle("get", "flunders", "-o", "name") == ""
