"""Which pods to remove by force."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kybern.controllers.core import pods as podlib
from kybern.controllers.core.taints import OUT_OF_SERVICE
from kybern.kube import meta
from kybern.kube.conditions import condition_status
from kybern.kube.meta import Object

ORPHAN_MESSAGE = "PodGC: node no longer exists"
OUT_OF_SERVICE_MESSAGE = "PodGC: node is out of service"


@dataclass(frozen=True)
class Removal:
    """A pod to delete without grace; with a message it is first marked as a failed target of a disruption."""

    pod: Object
    message: str = ""


def terminated_surplus(pods: Iterable[Object], threshold: int) -> list[Removal]:
    """The ended pods beyond the threshold, oldest first; a threshold of 0 or less keeps all."""
    if threshold <= 0:
        return []
    ended = [pod for pod in pods if podlib.is_terminal(pod) and not meta.is_deleting(pod)]
    surplus = len(ended) - threshold
    ended.sort(key=lambda pod: (meta.metadata(pod).get("creationTimestamp") or "", meta.name(pod)))
    return [Removal(pod) for pod in ended[: max(0, surplus)]]


def orphaned(pods: Iterable[Object], gone_nodes: Collection[str]) -> list[Removal]:
    """Pods of nodes that are known to be gone."""
    return [Removal(pod, ORPHAN_MESSAGE) for pod in pods if podlib.node_name(pod) in gone_nodes]


def unscheduled_terminating(pods: Iterable[Object]) -> list[Removal]:
    """Pods that are being deleted and never got to a node, where nobody would finish the deletion."""
    return [Removal(pod) for pod in pods if meta.is_deleting(pod) and not podlib.node_name(pod)]


def out_of_service(pods: Iterable[Object], nodes: Mapping[str, Object]) -> list[Removal]:
    """Pods that are being deleted on a node that is not ready and was declared out of service."""
    dead = {
        name
        for name, node in nodes.items()
        if condition_status(node, "Ready") != "True"
        and any(taint.get("key") == OUT_OF_SERVICE for taint in (node.get("spec") or {}).get("taints") or ())
    }
    return [
        Removal(pod, OUT_OF_SERVICE_MESSAGE) for pod in pods if meta.is_deleting(pod) and podlib.node_name(pod) in dead
    ]


def missing_nodes(pods: Sequence[Object], nodes: Collection[str]) -> set[str]:
    """Nodes that pods are bound to and that are not there."""
    return {podlib.node_name(pod) for pod in pods} - {"", *nodes}
