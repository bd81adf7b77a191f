"""kubectl delete and wait: what goes, what goes with it, and what they say."""

import json
import subprocess
import time

import pytest

from kybern.testing.cluster import Kubectl


def gone(kubectl: Kubectl, name: str) -> str:
    """kubectl's sentence about a deleted object."""
    place = f" from {kubectl.namespace} namespace" if kubectl.minor > 32 else ""
    return f"{name} deleted{place}"


def names(kubectl: Kubectl, kind: str) -> list[str]:
    return kubectl("get", kind, "-o", "jsonpath={.items[*].metadata.name}").split()


@pytest.fixture
def web(kubectl: Kubectl) -> Kubectl:
    kubectl("create", "deployment", "web", "--image=busybox:1", "--replicas=2")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    return kubectl


@pytest.fixture
def configs(kubectl: Kubectl) -> Kubectl:
    """The ConfigMaps a (x=1), b (x=1) and c (x=2)."""
    labels = {"a": "1", "b": "1", "c": "2"}
    kubectl.send(
        "create",
        *(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"x": value}}}
            for name, value in labels.items()
        ),
    )
    return kubectl


def test_by_name_selector_and_all(configs: Kubectl) -> None:
    assert configs("delete", "configmap", "a") == gone(configs, 'configmap "a"')
    assert configs("delete", "configmap", "-l", "x=1") == gone(configs, 'configmap "b"')
    assert configs("delete", "configmap", "--field-selector=metadata.name=c", "-o", "name") == "configmap/c"
    assert configs("delete", "configmap", "-l", "x") == "No resources found"
    configs("create", "configmap", "d")
    assert gone(configs, 'configmap "d"') in configs("delete", "configmap", "--all").split("\n")


def test_what_is_not_there(kubectl: Kubectl) -> None:
    missing = kubectl.error("delete", "configmap", "nope")
    assert missing == 'Error from server (NotFound): configmaps "nope" not found'
    assert kubectl("delete", "configmap", "nope", "--ignore-not-found") == ""


def test_dry_run(configs: Kubectl) -> None:
    said = configs("delete", "configmap", "a", "--dry-run=server")
    assert said.startswith('configmap "a" deleted')
    assert said.endswith("(server dry run)")
    assert "a" in names(configs, "configmaps")


def test_background(web: Kubectl) -> None:
    assert web("delete", "deployment", "web") == gone(web, 'deployment.apps "web"')
    web("wait", "replicaset,pod", "-l", "app=web", "--for=delete", "--timeout=20s")
    assert names(web, "pods,replicasets") == []


def test_foreground(web: Kubectl) -> None:
    web("delete", "deployment", "web", "--cascade=foreground")
    assert names(web, "replicasets,deployments") == []
    web("wait", "pod", "-l", "app=web", "--for=delete", "--timeout=20s")


def test_orphan(web: Kubectl) -> None:
    (replica_set,) = names(web, "replicasets")
    web("delete", "deployment", "web", "--cascade=orphan")
    owners = web("get", "replicaset", replica_set, "-o", "jsonpath={.metadata.ownerReferences}")
    assert (owners, len(names(web, "pods"))) == ("", 2)
    web("delete", "replicaset", replica_set, "--cascade=orphan")
    assert len(names(web, "pods")) == 2
    web("delete", "pods", "--all", "--force", "--grace-period=0")


def test_grace_period(kubectl: Kubectl) -> None:
    kubectl("run", "p", "--image=busybox:1")
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=20s")
    kubectl("patch", "pod", "p", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    assert kubectl("delete", "pod", "p", "--grace-period=7", "--wait=false") == gone(kubectl, 'pod "p"')
    meta = kubectl.json("get", "pod", "p")["metadata"]
    assert meta["deletionGracePeriodSeconds"] in (0, 7)
    assert meta["deletionTimestamp"] >= meta["creationTimestamp"]
    shown = kubectl("get", "pod", "p", "--no-headers").split()[2]
    assert shown in ("Terminating", "Error"), "the latter once its containers have been stopped"
    kubectl("patch", "pod", "p", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    kubectl("wait", "pod/p", "--for=delete", "--timeout=20s")


def test_force(kubectl: Kubectl) -> None:
    kubectl("run", "p", "--image=busybox:1")
    result = kubectl.run("delete", "pod", "p", "--grace-period=0", "--force")
    assert result.out.startswith('pod "p" force deleted')
    assert result.err.startswith("Warning: Immediate deletion does not wait for confirmation")
    assert kubectl.run("get", "pod", "p").code == 1


def test_delete_waits_for_finalizers(kubectl: Kubectl) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "finalizers": ["example.com/hold"]}}
    kubectl.send("create", manifest)
    assert "timed out waiting for the condition" in kubectl.error("delete", "configmap", "c", "--timeout=1s")
    line = kubectl.command("delete", "configmap", "c")
    with subprocess.Popen(line, env=kubectl.environment(), stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline().strip() == gone(kubectl, 'configmap "c"')
        kubectl("patch", "configmap", "c", "--type=json", "-p", '[{"op":"remove","path":"/metadata/finalizers"}]')
        assert waiting.wait(10) == 0
    assert kubectl.run("get", "configmap", "c").code == 1


def test_namespace_goes_with_what_is_in_it(admin: Kubectl) -> None:
    name = f"gone-{admin.minor}"
    admin("create", "namespace", name)
    inside = admin.within(name)
    inside("create", "deployment", "web", "--image=busybox:1", "--replicas=2")
    inside("create", "secret", "generic", "s")
    inside("rollout", "status", "deployment/web", "--timeout=20s")
    admin("delete", "namespace", name, "--timeout=30s")
    assert inside("get", "all,secrets", "-o", "name") == ""
    assert f'namespaces "{name}" not found' in inside.error("create", "configmap", "x")


def test_protected_namespace(admin: Kubectl) -> None:
    said = admin.error("delete", "namespace", "default")
    assert said.endswith('namespaces "default" is forbidden: this namespace may not be deleted')


@pytest.mark.parametrize("condition", ["condition=Ready", "jsonpath={.status.phase}=Running", "create"])
def test_wait(kubectl: Kubectl, condition: str) -> None:
    kubectl("run", "p", "--image=busybox:1")
    assert kubectl("wait", "pod/p", f"--for={condition}", "--timeout=20s") == "pod/p condition met"


def test_wait_gives_up(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "c")
    started = time.monotonic()
    said = kubectl.error("wait", "configmap/c", "--for=jsonpath={.data.x}=1", "--timeout=1s")
    assert said.endswith("timed out waiting for the condition on configmaps/c")
    assert time.monotonic() - started < 10
    assert json.loads(kubectl("get", "configmap", "c", "-o", "json"))["metadata"]["name"] == "c"
