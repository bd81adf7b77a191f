"""Which pods are removed by force."""

from typing import Any

from kybern.controllers.pod_gc.core import (
    missing_nodes,
    orphaned,
    out_of_service,
    terminated_surplus,
    unscheduled_terminating,
)


def pod(
    name: str, node: str = "n1", phase: str = "Running", *, deleting: bool = False, born: int = 0
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "creationTimestamp": f"2026-01-01T00:00:{born:02}Z"}
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": metadata, "spec": {"nodeName": node}, "status": {"phase": phase}}


def names(removals: Any) -> list[str]:
    return [removal.pod["metadata"]["name"] for removal in removals]


def test_the_oldest_ended_pods_beyond_the_threshold() -> None:
    pods = [
        pod("a", phase="Failed", born=3),
        pod("b", phase="Succeeded", born=1),
        pod("c"),
        pod("d", phase="Failed", born=2),
    ]
    assert names(terminated_surplus(pods, 1)) == ["b", "d"]
    assert names(terminated_surplus(pods, 3)) == []
    assert names(terminated_surplus(pods, 0)) == []


def test_pods_of_nodes_that_are_gone() -> None:
    pods = [pod("a", "gone"), pod("b", "n1"), pod("c", "")]
    assert missing_nodes(pods, {"n1"}) == {"gone"}
    assert names(orphaned(pods, {"gone"})) == ["a"]


def test_deleted_pods_without_a_node() -> None:
    assert names(unscheduled_terminating([pod("a", ""), pod("b", "", deleting=True), pod("c", deleting=True)])) == ["b"]


def test_deleted_pods_of_nodes_out_of_service() -> None:
    taints = [{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}]
    down = {"spec": {"taints": taints}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
    up = {"spec": {"taints": taints}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    pods = [pod("a", "down", deleting=True), pod("b", "down"), pod("c", "up", deleting=True)]
    assert names(out_of_service(pods, {"down": down, "up": up})) == ["a"]
