"""The real Helm: a chart with a CRD, hooks, a test and a lookup, through everything that Helm does with releases."""

import itertools
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kybern.testing.cluster import Cluster, Kubectl

FOLDER = Path(__file__).parent
TOOLS = FOLDER.parents[2] / "build/tools"
CHART = str(FOLDER / "chart")
COMMAND = "helm.sh/helm/v3/cmd/helm"
WITHIN = 60  # seconds for one command
numbers = itertools.count(1)
pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True)
class Helm:
    """Commands in one namespace."""

    path: str
    namespace: str
    env: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        line = [self.path, "--namespace", self.namespace, *arguments]
        return subprocess.run(line, env=self.env, capture_output=True, text=True, timeout=WITHIN)

    def __call__(self, *arguments: str) -> str:
        """What a command prints; it must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """What a command says that must fail."""
        done = self.run(*arguments)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def data(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--output", "json"))

    def history(self) -> list[tuple[int, str, str]]:
        """Revision, status and description of the release `shop`."""
        return [(row["revision"], row["status"], row["description"]) for row in self.data("history", "shop")]


@pytest.fixture(scope="session")
def program(build_go: Callable[..., str]) -> str:
    """Helm, built once for a version: with its dependencies it takes a minute."""
    (version,) = re.findall(r"helm.sh/helm/v3 (v\S+)", (FOLDER / "go.mod").read_text())
    path = TOOLS / f"helm-{version}"
    return str(path) if path.exists() else build_go(FOLDER, "-ldflags", "-s -w", COMMAND, output=path)


@pytest.fixture(scope="module")
def plain_kubectl(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """One kubectl, whichever is here; it takes away the CRD, which Helm leaves."""
    found = Kubectl.find("kubectl", cluster.kubeconfig, tmp_path_factory.mktemp("home"))
    yield found
    found("delete", "crd", "gadgets.helm.example.com", "--ignore-not-found")


@pytest.fixture
def kubectl(plain_kubectl: Kubectl) -> Iterator[Kubectl]:
    """In a namespace of its own."""
    name = f"helm{next(numbers)}"
    plain_kubectl("create", "namespace", name)
    found = plain_kubectl.within(name)
    found("wait", "serviceaccount/default", "--for=create", "--timeout=20s")
    yield found
    plain_kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def helm(program: str, cluster: Cluster, kubectl: Kubectl, tmp_path: Path) -> Helm:
    homes = {f"HELM_{kind}_HOME": str(tmp_path / kind) for kind in ("CACHE", "CONFIG", "DATA")}
    env = {**os.environ, **homes, "KUBECONFIG": str(cluster.kubeconfig)}
    return Helm(program, kubectl.namespace, env)


def test_life_of_a_release(helm: Helm, kubectl: Kubectl) -> None:
    said = helm("install", "shop", CHART, "--wait", "--wait-for-jobs", "--timeout", "40s")
    assert ("STATUS: deployed" in said, "Release 1 of shop." in said) == (True, True)
    deployment = kubectl.json("get", "deployment", "shop")
    assert (
        deployment["status"]["readyReplicas"],
        deployment["metadata"]["labels"]["app.kubernetes.io/managed-by"],
    ) == (
        2,
        "Helm",
    )
    assert kubectl.json("get", "gadget", "shop")["spec"] == {"size": 3}
    assert kubectl.json("get", "configmap", "shop")["data"]["policies"] == "true"
    assert kubectl.json("get", "job", "shop-migration")["status"]["succeeded"] == 1
    assert "shop-first" not in kubectl("get", "configmaps")  # a hook that succeeded

    kubectl("annotate", "deployment", "shop", "by=hand")
    kubectl("scale", "deployment", "shop", "--replicas", "5")
    helm("upgrade", "shop", CHART, "--set", "text=two,gadgets=4", "--wait", "--timeout", "40s")
    deployment = kubectl.json("get", "deployment", "shop")
    assert (deployment["spec"]["replicas"], deployment["metadata"]["annotations"]["by"]) == (2, "hand")
    assert kubectl.json("get", "gadget", "shop")["spec"] == {"size": 4}
    assert helm.data("get", "values", "shop") == {"text": "two", "gadgets": 4}
    assert helm.data("list")[0]["chart"] == "shop-1.2.3"
    assert helm.data("status", "shop")["info"]["status"] == "deployed"

    helm("rollback", "shop", "1", "--wait", "--timeout", "40s")
    assert kubectl.json("get", "configmap", "shop")["data"]["text"] == "one"
    assert [status for _, status, _ in helm.history()] == ["superseded", "superseded", "deployed"]
    assert helm.history()[-1][2] == "Rollback to 1"
    assert "kind: Gadget" in helm("get", "manifest", "shop")

    helm("uninstall", "shop", "--wait", "--timeout", "40s")
    assert helm.data("list", "--all") == []
    assert kubectl.json("get", "deployments,services,gadgets,secrets")["items"] == []
    assert kubectl.json("get", "crd", "gadgets.helm.example.com")["status"]["acceptedNames"]["kind"] == "Gadget"


def test_tests_of_a_release(helm: Helm) -> None:
    helm("install", "shop", CHART, "--wait", "--timeout", "40s")
    said = helm("test", "shop", "--logs", "--timeout", "40s")
    assert ("Phase:          Succeeded" in said, "shop is reachable" in said) == (True, True)


def test_lookup_and_dry_run(helm: Helm, kubectl: Kubectl) -> None:
    rendered = helm("install", "shop", CHART, "--dry-run=server")
    assert "kind: Gadget" in rendered
    assert helm.data("list", "--all") == []
    helm("install", "shop", CHART)
    password = kubectl.json("get", "secret", "shop-password")["data"]["password"]
    assert f"password: {password}" in helm("upgrade", "shop", CHART, "--dry-run=server")
    assert f"password: {password}" not in helm("upgrade", "shop", CHART, "--dry-run=client")
    helm("upgrade", "shop", CHART)
    assert kubectl.json("get", "secret", "shop-password")["data"]["password"] == password
    assert len(helm.history()) == 2


def test_an_atomic_upgrade_that_fails(helm: Helm, kubectl: Kubectl) -> None:
    helm("install", "shop", CHART, "--wait", "--timeout", "40s")
    said = helm.refused("upgrade", "shop", CHART, "--set", "fails=true", "--atomic", "--timeout", "6s")
    assert "has been rolled back due to atomic being set" in said
    assert [status for _, status, _ in helm.history()] == ["superseded", "failed", "deployed"]
    template = kubectl.json("get", "deployment", "shop")["spec"]["template"]
    assert "simulated.kybern.io/exit-code" not in template["metadata"]["annotations"]


def test_an_atomic_install_that_fails(helm: Helm, kubectl: Kubectl) -> None:
    said = helm.refused("install", "shop", CHART, "--set", "fails=true", "--atomic", "--timeout", "6s")
    assert "has been uninstalled due to atomic being set" in said
    assert helm.data("list", "--all") == []
    assert kubectl.json("get", "deployments,services,gadgets")["items"] == []


def test_a_hook_that_fails(helm: Helm, kubectl: Kubectl) -> None:
    said = helm.refused("install", "shop", CHART, "--set", "migrationFails=true", "--timeout", "40s")
    assert "BackoffLimitExceeded" in said
    assert [status for _, status, _ in helm.history()] == ["failed"]
    assert kubectl.json("get", "deployments")["items"] == []
    helm("upgrade", "--install", "--reset-values", "shop", CHART, "--wait", "--timeout", "40s")
    assert [status for _, status, _ in helm.history()] == ["superseded", "deployed"]


REFUSED = {
    "a value of another type": (
        "replicas=many",
        "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    "a value out of bounds": ("gadgets=0", "spec.size in body should be greater than or equal to 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(helm: Helm, case: str) -> None:
    values, message = REFUSED[case]
    assert message in helm.refused("install", "shop", CHART, "--set", values)


def test_an_unknown_field_is_warned_of(helm: Helm) -> None:
    assert 'unknown field \\"nonsense\\"' in helm.run("install", "shop", CHART, "--set", "extra.nonsense=1").stderr


def test_immutable_fields(helm: Helm, kubectl: Kubectl) -> None:
    helm("install", "shop", CHART)
    assert "field is immutable" in helm.refused("upgrade", "shop", CHART, "--set", "selector=other")
    helm("upgrade", "shop", CHART, "--set", "text=three", "--force")  # replaces every object
    assert kubectl.json("get", "configmap", "shop")["data"]["text"] == "three"


def test_ownership(helm: Helm, kubectl: Kubectl) -> None:
    kubectl("create", "service", "clusterip", "shop", "--tcp=80")
    said = helm.refused("install", "shop", CHART)
    assert 'Service "shop" in namespace' in said
    assert "cannot be imported into the current release: invalid ownership metadata" in said
    helm("install", "shop", CHART, "--take-ownership")
    assert kubectl.json("get", "service", "shop")["metadata"]["annotations"]["meta.helm.sh/release-name"] == "shop"
