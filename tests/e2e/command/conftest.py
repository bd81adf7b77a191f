"""Clusters that a test starts and stops itself, and the command line as a person uses it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kybern.testing.cluster import Cluster, ContainerHost, Kubectl
from kybern.testing.cluster.process import ClusterError

KYBERN = (sys.executable, "-m", "kybern.cli.main")


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one line that says what is wrong; more, or a traceback, is a failure."""
        assert "Traceback" not in self.out + self.err, self.err
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.out + self.err
        return lines[0]


def kybern(*arguments: str, prefix: tuple[str, ...] = (), cwd: Path | None = None, **environment: str) -> Said:
    """Run the command line."""
    done = subprocess.run(
        [*prefix, *KYBERN, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, **environment},
        check=False,
        cwd=cwd,
    )
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(name="kybern")
def kybern_command() -> object:
    """The command line: `kybern("up", "--data-dir", …)`."""
    return kybern


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short place for data dirs; what still runs there after the test is stopped."""
    path = Path(tempfile.mkdtemp(prefix="ke"))
    yield path
    for data in [p.parent for p in path.glob("*/cluster.json")] + [p.parent for p in path.glob("cluster.json")]:
        kybern("down", "--purge", "--data-dir", str(data))
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def real(container_host: ContainerHost, folder: Path) -> Cluster:
    """A data dir for a cluster with containers of the test's own; nothing runs yet."""
    container_host.free()
    return Cluster(folder / "c")


@pytest.fixture
def simulated(folder: Path) -> Iterator[Cluster]:
    """A running cluster with one simulated node."""
    cluster = Cluster(folder / "s")
    cluster.kybern("up", "--nodes", "0", "--simulated-nodes", "1", "--secure-port", "0", timeout=90)
    yield cluster
    try:
        cluster.kybern("down", "--purge", timeout=60)
    except ClusterError as error:
        pytest.fail(str(error))


@pytest.fixture
def kubectl_of(kubectl_binary: str, home: Path) -> object:
    """kubectl for a cluster."""

    def make(cluster: Cluster) -> Kubectl:
        return Kubectl(kubectl_binary, cluster.kubeconfig, home, namespace="default")

    return make
