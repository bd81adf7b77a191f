"""The scheduler's cache: which pod counts on which node, from watch events and from its own decisions not yet seen.

A pod is counted once: an assumed pod that the watch confirms changes nothing. Pods may be seen before their node;
they count as soon as it appears. A failed bind is taken back with `forget`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kybern.kube import meta
from kybern.scheduler.core.framework import Event
from kybern.scheduler.core.pod import Pod
from kybern.scheduler.core.snapshot import Snapshot, node_taints

Object = Mapping[str, Any]


@dataclass(slots=True)
class Counted:
    """A pod and the node it counts on."""

    pod: Pod
    node: str
    assumed: bool


class Cache:
    """Keeps the snapshot in step with pods and nodes."""

    def __init__(self, nodes: Snapshot) -> None:
        self.nodes = nodes
        self.objects: dict[str, Object] = {}  # nodes by name
        self._pods: dict[str, Counted] = {}
        self._on: dict[str, set[str]] = {}  # node name → uids of its pods
        self._priorities: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._pods)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def node_of(self, uid: str) -> str:
        """The node the pod counts on; "" if on none."""
        counted = self._pods.get(uid)
        return counted.node if counted else ""

    def pods_on(self, node: str) -> list[Pod]:
        """Every pod that counts on the node, in the order of their names."""
        return sorted((self._pods[uid].pod for uid in self._on.get(node, ())), key=lambda pod: pod.key)

    def has_below(self, priority: int) -> bool:
        """Whether any pod that counts has a lower priority."""
        return any(other < priority for other in self._priorities)

    def set_node(self, node: Object) -> frozenset[Event]:
        """Take over a node; what this means for pods that wait."""
        name = meta.name(node)
        old = self.objects.get(name)
        self.objects[name] = node
        if old is None:
            self.nodes.set_node(node)
            for uid in sorted(self._on.get(name, ())):
                self.nodes.add_pod(self._pods[uid].pod.facts, name)
            return frozenset({Event.NODE_ADD})
        events = diff_node(old, node)
        if events or _images(old) != _images(node):
            self.nodes.set_node(node)
        return events

    def remove_node(self, name: str) -> None:
        self.objects.pop(name, None)
        self.nodes.remove_node(name)

    def set_pod(self, pod: Pod) -> frozenset[Event]:
        """Take over a pod that is bound to a node."""
        counted = self._pods.get(pod.uid)
        if counted is None:
            self._count(pod, pod.node, assumed=False)
            return frozenset({Event.POD_ADD})
        if counted.node == pod.node and counted.pod.facts is pod.facts:
            added = counted.assumed
            counted.pod, counted.assumed = pod, False
            return frozenset({Event.POD_ADD}) if added else frozenset()
        self.remove_pod(pod.uid)
        self._count(pod, pod.node, assumed=False)
        return frozenset({Event.POD_UPDATE})

    def remove_pod(self, uid: str) -> Pod | None:
        """The pod is gone or has ended; it as it was counted, if it was."""
        counted = self._pods.pop(uid, None)
        if counted is None:
            return None
        self._on[counted.node].discard(uid)
        self._priorities[counted.pod.priority] -= 1
        if not self._priorities[counted.pod.priority]:
            del self._priorities[counted.pod.priority]
        if not self._on[counted.node]:
            del self._on[counted.node]
        self.nodes.remove_pod(counted.pod.facts, counted.node)
        return counted.pod

    def assume(self, pod: Pod, node: str) -> None:
        """Count a pod that is about to be bound."""
        self._count(pod, node, assumed=True)

    def forget(self, uid: str) -> None:
        """Take back `assume`, unless the watch has confirmed the pod meanwhile."""
        counted = self._pods.get(uid)
        if counted is not None and counted.assumed:
            self.remove_pod(uid)

    def _count(self, pod: Pod, node: str, *, assumed: bool) -> None:
        self._pods[pod.uid] = Counted(pod, node, assumed)
        self._on.setdefault(node, set()).add(pod.uid)
        self._priorities[pod.priority] += 1
        if node in self.objects:
            self.nodes.add_pod(pod.facts, node)


def diff_node(old: Object, new: Object) -> frozenset[Event]:
    """What a change of a node means for pods that wait; heartbeats mean nothing."""
    events = set()
    if _allocatable(old) != _allocatable(new):
        events.add(Event.NODE_ALLOCATABLE)
    if meta.labels(old) != meta.labels(new):
        events.add(Event.NODE_LABEL)
    if node_taints(old) != node_taints(new) or _unschedulable(old) != _unschedulable(new):
        events.add(Event.NODE_TAINT)
    return frozenset(events)


def _allocatable(node: Object) -> Any:
    status = node.get("status") or {}
    return status.get("allocatable") or status.get("capacity")


def _images(node: Object) -> Any:
    return (node.get("status") or {}).get("images")


def _unschedulable(node: Object) -> bool:
    return bool((node.get("spec") or {}).get("unschedulable"))
