"""One cluster for every client; a namespace of its own for every test."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, watch

from kybern.testing import cluster as plugin
from kybern.testing.cluster import Cluster, Kubectl

cluster, container_cluster, container_host = plugin.cluster, plugin.container_cluster, plugin.container_host
ROOT = Path(__file__).parents[2]
KUBECTLS = {"1.32": "kubectl", "1.36": str(ROOT / "build/tools/kubectl-1.36")}
BATCH = 20
BUILD_WITHIN = 280  # seconds
Watch: Any = watch.Watch
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


class Namespaces:
    """Namespaces made a batch ahead of the tests that take them, and deleted behind their backs."""

    def __init__(self, admin: Kubectl) -> None:
        self._admin = admin
        self._ready: list[str] = []
        self._deleting: list[subprocess.Popen[bytes]] = []

    def take(self) -> str:
        """A fresh namespace in which pods can be created."""
        if not self._ready:
            self._ready = [f"t{next(numbers)}" for _ in range(BATCH)]
            made = ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in self._ready)
            self._admin.send("create", *made)
        name = self._ready.pop(0)
        self._admin.within(name)("wait", "serviceaccount/default", "--for=create", "--timeout=20s")
        return name

    def give_back(self, name: str) -> None:
        """Delete it, with everything in it."""
        self.wait()
        line = self._admin.command("delete", "namespace", name, "--wait=false")
        self._deleting.append(subprocess.Popen(line, env=self._admin.environment(), stdout=subprocess.DEVNULL))

    def wait(self) -> None:
        """Until earlier deletions are on their way."""
        while self._deleting:
            assert self._deleting.pop().wait(30) == 0


@pytest.fixture(scope="session")
def namespaces(admin: Kubectl) -> Iterator[Namespaces]:
    found = Namespaces(admin)
    yield found
    found.wait()


@pytest.fixture
def kubectl(admin: Kubectl, namespaces: Namespaces) -> Iterator[Kubectl]:
    """The same in a fresh namespace."""
    name = namespaces.take()
    yield admin.within(name)
    namespaces.give_back(name)


@pytest.fixture(scope="session")
def build_go(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Builds a Go program of a folder with a go.mod; skips by name where it cannot.

    With the flags of tools/kubectl.sh, so that all share what Go has compiled.
    """

    def build(folder: Path, *arguments: str, output: Path | None = None, command: Sequence[str] = ("build",)) -> str:
        if shutil.which("go") is None:
            pytest.skip(f"{folder.name}: Go is not installed")
        output = output or tmp_path_factory.mktemp("go") / folder.name
        line = ["go", *command, "-trimpath", "-buildvcs=false", "-o", str(output), *(arguments or (".",))]
        env = {**os.environ, "GOFLAGS": "-mod=readonly"}
        built = subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, timeout=BUILD_WITHIN)
        if built.returncode:
            pytest.skip(f"{folder.name}: cannot be built: {built.stderr.strip().splitlines()[-1:]}")
        return str(output)

    return build


@pytest.fixture(scope="session")
def api_client(cluster: Cluster) -> Iterator[Any]:
    """An ApiClient from the kubeconfig."""
    load: Any = config.new_client_from_config  # the package has no types here
    with load(str(cluster.kubeconfig)) as found:
        yield found
        found.rest_client.pool_manager.clear()  # closing the client leaves its connections open


@pytest.fixture(scope="session")
def core(api_client: Any) -> Any:
    """The core API, untyped: tests hand it plain dicts."""
    return client.CoreV1Api(api_client)


@pytest.fixture
def namespace(core: Any) -> Iterator[str]:
    """A fresh namespace in which pods can be created, for clients that are libraries."""
    name = f"t{next(numbers)}"
    core.create_namespace({"metadata": {"name": name}})
    accounts = Watch().stream(core.list_namespaced_service_account, name, timeout_seconds=10)
    assert next(accounts)["object"].metadata.name == "default"  # pods are refused before
    accounts.close()
    yield name
    core.delete_namespace(name)
