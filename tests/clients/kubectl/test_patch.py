"""kubectl patch, label, annotate, set and scale."""

import json

import pytest

from kybern.testing.cluster import Kubectl


@pytest.fixture
def web(kubectl: Kubectl) -> Kubectl:
    """A namespace with the deployment web."""
    kubectl("create", "deployment", "web", "--image=busybox:1", "--replicas=1")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    return kubectl


def template(kubectl: Kubectl) -> dict[str, object]:
    found = kubectl.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert isinstance(found, dict)
    return found


def test_kinds_of_patches(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "c", "--from-literal=a=1")
    patches = [
        ("strategic", {"data": {"b": "2"}}),
        ("merge", {"data": {"a": None, "c": "3"}}),
        (
            "json",
            [{"op": "test", "path": "/data/b", "value": "2"}, {"op": "move", "from": "/data/b", "path": "/data/d"}],
        ),
    ]
    for kind, patch in patches:
        assert kubectl("patch", "configmap", "c", f"--type={kind}", "-p", json.dumps(patch)) == "configmap/c patched"
    assert kubectl.json("get", "configmap", "c")["data"] == {"c": "3", "d": "2"}
    assert kubectl("patch", "configmap", "c", "-p", '{"data":{"d":"2"}}') == "configmap/c patched (no change)"


def test_patches_that_do_not_apply(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "c")
    failed = kubectl.error("patch", "configmap", "c", "--type=json", "-p", '[{"op":"remove","path":"/data/x"}]')
    assert failed == "The request is invalid: the server rejected our request due to an error in our request"
    stale = {"metadata": {"resourceVersion": "1"}, "data": {"a": "b"}}
    conflict = kubectl.error("patch", "configmap", "c", "--type=merge", "-p", json.dumps(stale))
    assert "Operation cannot be fulfilled on configmaps" in conflict
    assert 'configmaps "nope" not found' in kubectl.error("patch", "configmap", "nope", "-p", "{}")


def test_strategic_merge_of_containers(web: Kubectl) -> None:
    patch = {
        "spec": {"template": {"spec": {"containers": [{"name": "busybox", "env": [{"name": "A", "value": "1"}]}]}}}
    }
    web("patch", "deployment", "web", "-p", json.dumps(patch))
    container = template(web)
    assert (container["image"], container["env"]) == ("busybox:1", [{"name": "A", "value": "1"}])


def test_status_and_scale(web: Kubectl) -> None:
    web("rollout", "pause", "deployment/web")
    patch = ["--type=merge", "-p", '{"status":{"collisionCount":3},"spec":{"replicas":9}}']
    web("patch", "deployment", "web", "--subresource=status", *patch)
    found = web.json("get", "deployment", "web")
    assert (found["status"]["collisionCount"], found["spec"]["replicas"]) == (3, 1)
    said = web("patch", "deployment", "web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":2}}')
    assert said == "scale.autoscaling/web patched"
    scale = web.json("get", "deployment", "web", "--subresource=scale")
    assert (scale["kind"], scale["spec"]["replicas"], scale["status"]["selector"]) == ("Scale", 2, "app=web")


def test_scale(web: Kubectl) -> None:
    assert web("scale", "deployment/web", "--replicas=3", "--current-replicas=1") == "deployment.apps/web scaled"
    web("wait", "deployment/web", "--for=jsonpath={.status.readyReplicas}=3", "--timeout=20s")
    assert web.error("scale", "deployment/web", "--replicas=1", "--current-replicas=9").endswith(
        "Expected replicas to be 9, was 3"
    )
    web("scale", "deployment/web", "--replicas=0")
    web("wait", "pod", "-l", "app=web", "--for=delete", "--timeout=20s")
    assert web("get", "pods", "-o", "name") == ""


def test_autoscale(web: Kubectl) -> None:
    said = web("autoscale", "deployment", "web", "--min=2", "--max=5", "--cpu-percent=70")
    assert said == "horizontalpodautoscaler.autoscaling/web autoscaled"
    (metric,) = web.json("get", "hpa", "web")["spec"]["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    old = web.json("get", "horizontalpodautoscalers.v1.autoscaling", "web")
    assert old["spec"]["targetCPUUtilizationPercentage"] == 70


def test_set(web: Kubectl) -> None:
    assert web("set", "image", "deployment/web", "busybox=busybox:2") == "deployment.apps/web image updated"
    assert web("set", "env", "deployment/web", "A=1", "B=2") == "deployment.apps/web env updated"
    web("set", "env", "deployment/web", "A-")
    limits = ["--limits=cpu=200m,memory=64Mi", "--requests=cpu=100m"]
    assert web("set", "resources", "deployment/web", *limits) == "deployment.apps/web resource requirements updated"
    web("set", "serviceaccount", "deployment/web", "default")
    container = template(web)
    assert (container["image"], container["env"]) == ("busybox:2", [{"name": "B", "value": "2"}])
    assert container["resources"] == {"limits": {"cpu": "200m", "memory": "64Mi"}, "requests": {"cpu": "100m"}}


def test_labels_and_annotations(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "c")
    assert kubectl("label", "configmap", "c", "a=1", "b=2") == "configmap/c labeled"
    assert "already has a value (1), and --overwrite is false" in kubectl.error("label", "configmap", "c", "a=2")
    assert kubectl("label", "configmap", "c", "a=3", "b-", "--overwrite").startswith("configmap/c ")
    assert kubectl("annotate", "configmap", "--all", "note=x").split("\n")[0] == "configmap/c annotated"
    meta = kubectl.json("get", "configmap", "c")["metadata"]
    assert (meta["labels"], meta["annotations"]) == ({"a": "3"}, {"note": "x"})
    wrong = kubectl.error("label", "configmap", "c", "a=b@d")
    assert "a valid label must be" in wrong.lower() or "invalid label value" in wrong
