"""kubectl cordon, drain, taint, top and describe for nodes."""

import json
import time
from collections.abc import Iterator

import pytest

from kybern.testing.cluster import Kubectl

NODE, OTHER = "simulated-1", "simulated-2"


@pytest.fixture
def web(kubectl: Kubectl) -> Iterator[Kubectl]:
    """A Deployment over both nodes; the nodes are as before when the test ends."""
    kubectl("create", "deployment", "web", "--image=busybox:1", "--replicas=4")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    yield kubectl
    kubectl("uncordon", NODE)
    kubectl.run("taint", "node", NODE, "dedicated-")


def on(kubectl: Kubectl, node: str) -> list[str]:
    selector = f"--field-selector=spec.nodeName={node},status.phase=Running"
    return kubectl("get", "pods", selector, "-o", "name").split()


def test_table_of_nodes(admin: Kubectl) -> None:
    rows = [line.split() for line in admin("get", "nodes", "--no-headers").splitlines()]
    assert [(row[0], row[1], row[2], row[4]) for row in rows] == [
        (name, "Ready", "<none>", "v1.36.0") for name in (NODE, OTHER)
    ]


def test_cordon_and_drain(web: Kubectl) -> None:
    assert on(web, NODE)
    assert web("cordon", NODE) == f"node/{NODE} cordoned"
    assert web("cordon", NODE) == f"node/{NODE} already cordoned"
    assert "Ready,SchedulingDisabled" in web("get", "node", NODE)
    said = web("drain", NODE, "--ignore-daemonsets", "--pod-selector=app=web", "--timeout=30s")
    assert said.split("\n")[-1] == f"node/{NODE} drained"
    assert on(web, NODE) == []
    web("rollout", "status", "deployment/web", "--timeout=20s")
    assert len(on(web, OTHER)) == 4
    assert web("uncordon", NODE) == f"node/{NODE} uncordoned"


def test_drain_keeps_to_the_disruption_budget(web: Kubectl) -> None:
    web("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=4")
    status = {"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 4, "desiredHealthy": 4}
    patch = json.dumps({"status": {**status, "expectedPods": 4}})
    web("patch", "poddisruptionbudget", "web", "--subresource=status", "--type=merge", "-p", patch)
    said = web.run("drain", NODE, "--ignore-daemonsets", "--pod-selector=app=web", "--timeout=2s")
    assert said.code == 1
    assert "Cannot evict pod as it would violate the pod's disruption budget" in said.err
    assert len(on(web, NODE) + on(web, OTHER)) == 4


def test_drain_of_pods_without_a_controller(web: Kubectl) -> None:
    web("run", "bare", "--image=busybox:1", "--overrides", json.dumps({"spec": {"nodeName": NODE}}))
    web("wait", "pod/bare", "--for=condition=Ready", "--timeout=20s")
    said = web.run("drain", NODE, "--pod-selector=run=bare", "--timeout=20s").err
    assert "cannot delete" in said
    assert "declare no controller (use --force to override)" in said
    web("drain", NODE, "--pod-selector=run=bare", "--force", "--timeout=40s", "--grace-period=1")
    assert web.run("get", "pod", "bare").code == 1


def test_taint(web: Kubectl) -> None:
    before = set(on(web, NODE))
    assert web("taint", "node", NODE, "dedicated=x:NoSchedule") == f"node/{NODE} tainted"
    assert "already has dedicated taint(s)" in web.error("taint", "node", NODE, "dedicated=x:NoSchedule")
    time.sleep(0.5)  # the scheduler hears of nodes and of pods on two watches
    web("scale", "deployment/web", "--replicas=8")
    web("rollout", "status", "deployment/web", "--timeout=20s")
    assert set(on(web, NODE)) <= before
    web("taint", "node", NODE, "dedicated=x:NoExecute", "--overwrite")
    web("wait", "pod", "--field-selector=spec.nodeName=" + NODE, "--for=delete", "--timeout=20s")
    assert on(web, NODE) == []
    assert web("taint", "node", NODE, "dedicated-") == f"node/{NODE} untainted"


def test_describe_node(web: Kubectl) -> None:
    said = web("describe", "node", NODE)
    for part in ("PodCIDR:", "Container Runtime Version:", "Allocated resources:", "HolderIdentity:  simulated-1"):
        assert part in said
    assert all(name.removeprefix("pod/") in said for name in on(web, NODE))


def test_labels_of_nodes(admin: Kubectl) -> None:
    try:
        assert admin("label", "node", NODE, "disk=ssd") == f"node/{NODE} labeled"
        assert admin("get", "nodes", "-l", "disk=ssd", "-o", "name") == f"node/{NODE}"
    finally:
        admin("label", "node", NODE, "disk-")


@pytest.mark.parametrize("kind", ["nodes", "pods"])
def test_top_says_what_is_missing(admin: Kubectl, kind: str) -> None:
    assert "Metrics API not available" in admin.error("top", kind)
