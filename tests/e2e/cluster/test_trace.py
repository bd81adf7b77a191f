"""`kybern trace` shows a pod's way through the mesh; `kybern status` shows the mesh."""

import re

import pytest

from kybern.testing.cluster import Cluster, Kubectl
from kybern.testing.cluster.manifests import deployment, pod
from kybern.testing.cluster.process import ClusterError
from kybern.testing.cluster.waiting import until

pytestmark = pytest.mark.containerd
CONTROL_PLANE = ("gateway POST pods", "admission", "commit", "queue", "filter", "score", "bind")
WAY = (*CONTROL_PLANE, "sandbox", "pull", "create", "start", "ready")


def trace(cluster: Cluster, kubectl: Kubectl, what: str) -> str:
    """The waterfall once the pod's last step is in it."""

    def look() -> str:
        try:
            text = cluster.kybern("trace", what, "-n", kubectl.namespace)
        except ClusterError as error:
            raise AssertionError(str(error)) from None
        return text if re.search(r"^ *ready ", text, re.MULTILINE) else ""

    return until(look, 15)


def test_way_of_a_pod(container_cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.send("create", pod("box"))
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    text = trace(container_cluster, kubectl, "pod/box")
    missing = [name for name in WAY if not re.search(rf"^ *{name} ", text, re.MULTILINE)]
    assert not missing, text
    starts = {name: float(re.search(rf"^ *{name} .*? ([0-9.]+) ms", text, re.MULTILINE)[1]) for name in WAY}  # type: ignore[index]
    order = [starts[name] for name in ("admission", "commit", "queue", "filter", "bind", "sandbox", "create", "start")]
    assert order == sorted(order), text


def test_way_of_a_deployments_pod_begins_with_the_deployment(container_cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.send("create", deployment("web", 1))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    name = kubectl("get", "pods", "-o", "jsonpath={.items[0].metadata.name}")
    text = trace(container_cluster, kubectl, f"pod/{name}")
    assert "POST deployments" in text
    assert re.search(r"^ *bind ", text, re.MULTILINE)


def test_what_has_no_trace(container_cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="only recent traces are"):
        container_cluster.kybern("trace", "pod/nobody")
    with pytest.raises(ClusterError, match="try pod/nobody"):
        container_cluster.kybern("trace", "nobody")


def test_status(container_cluster: Cluster) -> None:
    document = container_cluster.status()
    assert document["ready"] is True
    rows = {row["name"]: row for row in document["processes"]}
    assert rows.keys() >= {"apiserver", "gateway", "scheduler", "controllers", "traces", "dns", "node-1"}
    assert all(row["pid"] and row["ready"] and row["pss_kb"] > 1000 for row in rows.values())
    table = container_cluster.kybern("status")
    assert f"kubeconfig  {container_cluster.kubeconfig}" in table
    assert all(name in table for name in rows)
