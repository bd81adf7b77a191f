"""The cluster as a whole with real containers, driven with kubectl as a person does it."""

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kybern.testing import cluster as plugin
from kybern.testing.cluster import Cluster, Kubectl

container_host, container_cluster = plugin.container_host, plugin.container_cluster
BUILT_KUBECTL = Path(__file__).resolve().parents[2] / "build" / "tools" / "kubectl-1.36"
OLDEST_KUBECTL = 30  # minor version that has all the commands used here
numbers = itertools.count(1)
START = f"e{os.getpid() % 10000}"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for kubectl's caches."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def kubectl_binary(home: Path) -> str:
    """The kubectl on the PATH if it is not too old, else the one that is built for tests."""
    for name in ("kubectl", str(BUILT_KUBECTL)):
        found = shutil.which(name)
        if found is not None and Kubectl.find(found, home / "none", home).minor >= OLDEST_KUBECTL:
            return found
    pytest.skip(f"needs kubectl 1.{OLDEST_KUBECTL} or newer (sh tools/kubectl.sh {BUILT_KUBECTL})")


@pytest.fixture
def admin(container_cluster: Cluster, kubectl_binary: str, home: Path) -> Kubectl:
    """kubectl as the administrator of the shared cluster."""
    return Kubectl(kubectl_binary, container_cluster.kubeconfig, home)


@pytest.fixture
def kubectl(admin: Kubectl) -> Iterator[Kubectl]:
    """The same in a fresh namespace."""
    name = f"{START}-{next(numbers)}"
    admin("create", "namespace", name)
    yield admin.within(name)
    admin.run("delete", "namespace", name, "--wait=false")
