"""One cluster for every client; a namespace of its own for every test."""

import itertools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kybern.testing import cluster as plugin
from kybern.testing.cluster import Cluster, Kubectl

cluster, container_cluster, container_host = plugin.cluster, plugin.container_cluster, plugin.container_host
ROOT = Path(__file__).parents[2]
KUBECTLS = {"1.32": "kubectl", "1.36": str(ROOT / "build/tools/kubectl-1.36")}
numbers = itertools.count(1)


def find_kubectl(version: str) -> str:
    """The path of a kubectl; skips by name where there is none, or where another version is on the PATH."""
    path = shutil.which(KUBECTLS[version])
    if path is None:
        pytest.skip(f"kubectl {version} is not here (sh tools/kubectl.sh {KUBECTLS[version]})")
    said = subprocess.run([path, "version", "--client"], capture_output=True, text=True, check=True).stdout
    if f"v{version}." not in said:
        pytest.skip(f"kubectl {version} is not here: {path} is {said.splitlines()[0]}")
    return path


@pytest.fixture(scope="session", params=sorted(KUBECTLS))
def admin(request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """Every kubectl there is, as the administrator."""
    path = find_kubectl(request.param)
    return Kubectl.find(path, cluster.kubeconfig, tmp_path_factory.mktemp("home"))


@pytest.fixture
def kubectl(admin: Kubectl) -> Iterator[Kubectl]:
    """The same in a fresh namespace."""
    name = f"t{next(numbers)}"
    admin("create", "namespace", name)
    yield admin.within(name)
    admin("delete", "namespace", name, "--wait=false")
