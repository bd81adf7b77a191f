"""kubectl rollout over a Deployment: status, history, undo, restart, pause and resume."""

import pytest

from kybern.testing.cluster import Kubectl

DEPLOYMENT = "deployment/web"
STATUS = ("rollout", "status", DEPLOYMENT, "--timeout=30s")


@pytest.fixture
def web(kubectl: Kubectl) -> Kubectl:
    """A Deployment of two pods with the revisions busybox:1 and busybox:2."""
    kubectl("create", "deployment", "web", "--image=busybox:1", "--replicas=2")
    kubectl(*STATUS)
    kubectl("annotate", DEPLOYMENT, "kubernetes.io/change-cause=the first")
    kubectl("set", "image", DEPLOYMENT, "busybox=busybox:2")
    kubectl("annotate", DEPLOYMENT, "kubernetes.io/change-cause=the second", "--overwrite")
    kubectl(*STATUS)
    return kubectl


def image(kubectl: Kubectl) -> str:
    return kubectl("get", DEPLOYMENT, "-o", "jsonpath={.spec.template.spec.containers[0].image}")


def images(kubectl: Kubectl) -> set[str]:
    """Of the pods that are not being deleted."""
    pods = kubectl.json("get", "pods", "-l", "app=web")["items"]
    return {pod["spec"]["containers"][0]["image"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}


def test_status_and_history(web: Kubectl) -> None:
    assert web(*STATUS) == 'deployment "web" successfully rolled out'
    rows = [line.split(maxsplit=1) for line in web("rollout", "history", DEPLOYMENT).splitlines()]
    assert rows[1:4] == [["REVISION", "CHANGE-CAUSE"], ["1", "the first"], ["2", "the second"]]
    assert "busybox:1" in web("rollout", "history", DEPLOYMENT, "--revision=1")
    assert images(web) == {"busybox:2"}
    assert "unable to find the specified revision" in web.error("rollout", "history", DEPLOYMENT, "--revision=9")


def test_undo(web: Kubectl) -> None:
    assert web("rollout", "undo", DEPLOYMENT) == "deployment.apps/web rolled back"
    web(*STATUS)
    assert images(web) == {"busybox:1"}
    rows = [line.split()[0] for line in web("rollout", "history", DEPLOYMENT).splitlines()[2:] if line]
    assert rows == ["2", "3"]
    web("rollout", "undo", DEPLOYMENT, "--to-revision=2")
    web(*STATUS)
    assert images(web) == {"busybox:2"}
    assert web("get", "replicasets", "-o", "name").count("replicaset") == 2


def test_restart(web: Kubectl) -> None:
    before = set(web("get", "pods", "-o", "name").split())
    assert web("rollout", "restart", DEPLOYMENT) == "deployment.apps/web restarted"
    web(*STATUS)
    stamp = "jsonpath={.spec.template.metadata.annotations.kubectl\\.kubernetes\\.io/restartedAt}"
    assert web("get", DEPLOYMENT, "-o", stamp).startswith("20")
    after = [pod for pod in web.json("get", "pods")["items"] if "deletionTimestamp" not in pod["metadata"]]
    assert before.isdisjoint(f"pod/{pod['metadata']['name']}" for pod in after)


def test_pause_and_resume(web: Kubectl) -> None:
    assert web("rollout", "pause", DEPLOYMENT) == "deployment.apps/web paused"
    web("set", "image", DEPLOYMENT, "busybox=busybox:3")
    assert "paused" in web.error("rollout", "undo", DEPLOYMENT)
    assert "is already paused" in web.error("rollout", "pause", DEPLOYMENT)
    web("wait", DEPLOYMENT, "--for=condition=Progressing=Unknown", "--timeout=10s")
    assert images(web) == {"busybox:2"}
    assert web("rollout", "resume", DEPLOYMENT) == "deployment.apps/web resumed"
    web(*STATUS)
    assert images(web) == {"busybox:3"}


def test_a_rollout_that_does_not_end(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=busybox:1", "--dry-run=client", "-o", "yaml")
    manifest = kubectl.json("create", "deployment", "web", "--image=busybox:1", "--dry-run=client")
    manifest["spec"]["template"]["spec"]["nodeSelector"] = {"no": "node"}
    kubectl.send("create", manifest)
    said = kubectl.run("rollout", "status", DEPLOYMENT, "--timeout=1s")
    assert said.code == 1
    assert 'Waiting for deployment "web" rollout to finish: 0 of 1 updated replicas are available' in said.out
    assert "timed out waiting for the condition" in said.err
