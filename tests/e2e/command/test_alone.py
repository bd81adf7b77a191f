"""Each service by itself, as a container runs it: its own process, TCP addresses, certificates from a folder."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kybern.pki.authority import Identity, open_ca
from kybern.pki.kubeconfig import write_kubeconfig
from kybern.pki.rotation import Issuer
from kybern.pki.service_account import open_signing_key
from kybern.pki.source import FileCertificateSource
from kybern.runtime.containerd_cleanup import descendants
from kybern.testing.cluster import Kubectl
from kybern.testing.cluster.waiting import until
from kybern.testing.ports import free_ports

SERVICES = ("apiserver", "controllers", "dns", "gateway", "node", "proxy", "scheduler", "traces")
LOCAL = ("127.0.0.1",)
IMAGE = "localhost/kybern/kybern:dev"


@pytest.mark.parametrize("name", SERVICES)
def test_help_and_what_is_needed(name: str) -> None:
    module = [sys.executable, "-m", f"kybern.{name}"]
    helped = subprocess.run([*module, "--help"], capture_output=True, text=True, timeout=30, check=True)
    assert "--address" in helped.stdout
    assert "--pki" in helped.stdout
    bare = subprocess.run(module, capture_output=True, text=True, timeout=30, check=False)
    assert bare.returncode == 2
    assert "the following arguments are required: --address, --pki" in bare.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_missing_certificates(name: str, folder: Path) -> None:
    needs = {"apiserver": ["--store", f"sqlite:{folder}/x.db", "--service-account-key", f"{folder}/sa.key"]}
    flags = ["--address", "127.0.0.1:0", "--pki", str(folder / "none"), "--apiserver", "127.0.0.1:1"]
    needs |= {"node": ["--node-name", "n", "--runtime", "simulated"], "proxy": ["--node-name", "n"]}
    line = [sys.executable, "-m", f"kybern.{name}", *flags, *needs.get(name, [])]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode not in (0, 2), done.stderr
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    assert str(folder / "none") in done.stderr + done.stdout


def identities() -> dict[str, Identity]:
    """Who runs in this test."""
    users = {"apiserver": "system:kybern:apiserver", "gateway": "system:kybern:gateway"}
    users |= {"scheduler": "system:kube-scheduler", "controllers": "system:kube-controller-manager"}
    found = {name: Identity(user, (), (f"{name}.kybern", "localhost"), LOCAL) for name, user in users.items()}
    found["admin"] = Identity("kubernetes-admin", ("system:masters",))
    found["node"] = Identity("system:kybern:simulated-nodes", ("system:nodes",), ("*.node.kybern",))
    return found


@pytest.fixture
def pki(folder: Path) -> Path:
    """A folder with a CA and a certificate for each."""
    path = folder / "pki"
    open_signing_key(path)
    Issuer(path, open_ca(path, datetime.now(UTC)), identities(), timedelta(hours=1)).rotate(datetime.now(UTC))
    return path


def built() -> str:
    """The image that `make image` has built, or "" if there is none."""
    if not shutil.which("buildah") or os.geteuid() != 0:
        return ""
    found = subprocess.run(["buildah", "images", "-q", IMAGE], capture_output=True, text=True, check=False)
    return IMAGE if found.returncode == 0 and found.stdout.strip() else ""


@pytest.fixture(params=["process", "container"])
def line(request: pytest.FixtureRequest, folder: Path) -> Iterator[Callable[..., list[str]]]:
    """The command that runs a service: here, or in a container of its own."""
    if request.param == "process":
        yield lambda name: [sys.executable, "-m", f"kybern.{name}"]
        return
    if not built():
        pytest.skip(f"there is no image {IMAGE}: `make image` builds it")
    containers: list[str] = []

    def run(name: str) -> list[str]:
        made = subprocess.run(["buildah", "from", "--pull-never", IMAGE], capture_output=True, text=True, check=True)
        containers.append(made.stdout.strip())
        how = ["--isolation", "oci", "--network", "host", "-v", f"{folder}:{folder}"]
        return ["buildah", "run", *how, containers[-1], "--", "/opt/kybern/bin/python", "-m", f"kybern.{name}"]

    yield run
    for container in containers:
        subprocess.run(["buildah", "rm", container], capture_output=True, check=True)


def service_of(pid: int) -> int:
    """The service's own process, below the command that runs it; helpers of the container come and go beside it."""
    for one in (pid, *descendants([pid])):
        with suppress(OSError):
            if Path(f"/proc/{one}/cmdline").read_text().partition("\0")[0].endswith("python"):
                return one
    raise AssertionError(f"no service runs below {pid}")


@pytest.fixture
def start(folder: Path, pki: Path, line: Callable[..., list[str]]) -> Iterator[Callable[..., None]]:
    """Start a service; all are stopped in the end, and must end well."""
    running: dict[str, subprocess.Popen[bytes]] = {}

    def run(name: str, address: str, *flags: str) -> None:
        command = [*line(name), "--address", address, "--pki", str(pki / name), *flags]
        with (folder / f"{name}.log").open("wb") as log:
            running[name] = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")

    yield run
    for process in reversed(running.values()):
        os.kill(service_of(process.pid), signal.SIGTERM)
    codes = {name: process.wait(20) for name, process in running.items()}
    assert set(codes.values()) == {0}, {name: (folder / f"{name}.log").read_text()[-2000:] for name in codes}


def test_services_over_tcp(
    folder: Path, pki: Path, start: Callable[..., None], kubectl_binary: str, home: Path
) -> None:
    core, front, https, back, loops, agent = free_ports(6)
    to_core = ("--apiserver", f"127.0.0.1:{core}")
    key = ("--service-account-key", str(pki / "sa.key"))
    start("apiserver", f"127.0.0.1:{core}", "--store", f"sqlite:{folder}/k.db", *key)
    start("gateway", f"127.0.0.1:{front}", *to_core, "--bind-address", "127.0.0.1", "--secure-port", str(https))
    start("scheduler", f"127.0.0.1:{back}", *to_core)
    start("controllers", f"127.0.0.1:{loops}", *to_core, "--root-ca-file", str(pki / "ca.crt"))
    simulated = ("--runtime", "simulated", "--simulated-count", "2", "--state-dir", str(folder / "node"))
    start("node", f"127.0.0.1:{agent}", *to_core, *simulated)
    kubeconfig = folder / "admin.kubeconfig"
    pair = FileCertificateSource(pki / "admin").current()
    write_kubeconfig(kubeconfig, f"https://127.0.0.1:{https}", pair, "kubernetes-admin")
    kubectl = Kubectl(kubectl_binary, kubeconfig, home, namespace="default")
    until(lambda: kubectl("get", "nodes", "--no-headers").count(" Ready ") == 2, 40)
    kubectl("create", "deployment", "web", "--image=any:1", "--replicas=2")
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    name = kubectl("get", "pods", "-o", "jsonpath={.items[0].metadata.name}")
    assert kubectl("logs", name) == kubectl("logs", f"pod/{name}"), "the gateway reaches the agent's address"
    assert os.path.exists(folder / "k.db")
