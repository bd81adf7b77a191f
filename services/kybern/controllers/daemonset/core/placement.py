"""Where a DaemonSet's pods belong, and what is missing or too many there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kybern.controllers.core import pods as podlib
from kybern.controllers.core.history import HASH_LABEL
from kybern.controllers.core.taints import NO_EXECUTE, NO_SCHEDULE, NOT_READY, UNREACHABLE, tolerating
from kybern.kube import meta
from kybern.kube.intstr import scaled_value
from kybern.kube.meta import Object
from kybern.kube.node_affinity import admits

# A daemon is often what makes a node well again: it stays on and comes to nodes that are not.
TOLERATIONS: tuple[Object, ...] = (
    *({"key": key, "operator": "Exists", "effect": NO_EXECUTE} for key in (NOT_READY, UNREACHABLE)),
    *(
        {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": NO_SCHEDULE}
        for name in ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")
    ),
)
HOST_NETWORK_TOLERATION: Object = {
    "key": "node.kubernetes.io/network-unavailable",
    "operator": "Exists",
    "effect": NO_SCHEDULE,
}


def tolerations(spec: Object) -> list[Object]:
    """A pod's own tolerations and those of daemons."""
    extra = [*TOLERATIONS, *([HOST_NETWORK_TOLERATION] if spec.get("hostNetwork") else [])]
    own: list[Object] = spec.get("tolerations") or []
    return [*own, *(toleration for toleration in extra if toleration not in own)]


def should_run(daemon_set: Object, node: Object) -> tuple[bool, bool]:
    """(a pod should be started on the node, one that is there may stay)."""
    spec: Object = daemon_set["spec"]["template"].get("spec") or {}
    if spec.get("nodeName", meta.name(node)) != meta.name(node) or not admits(spec, node):
        return False, False
    tolerated = tolerations(spec)
    taints: list[Object] = (node.get("spec") or {}).get("taints") or []
    refusing = [t for t in taints if t.get("effect") in (NO_SCHEDULE, NO_EXECUTE) and not tolerating(tolerated, t)]
    return not refusing, not any(taint["effect"] == NO_EXECUTE for taint in refusing)


def target_node(pod: Object) -> str:
    """The node a daemon pod is on, or is made for."""
    if podlib.node_name(pod):
        return podlib.node_name(pod)
    affinity = ((pod.get("spec") or {}).get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == "metadata.name" and field.get("values"):
                return str(field["values"][0])
    return ""


def for_node(pod: Object, node: str) -> Object:
    """A pod that the scheduler can only put on this node."""
    spec = dict(pod["spec"])
    affinity = dict(spec.get("affinity") or {})
    node_affinity = dict(affinity.get("nodeAffinity") or {})
    fields = [{"key": "metadata.name", "operator": "In", "values": [node]}]
    node_affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": [{"matchFields": fields}]}
    spec["affinity"] = {**affinity, "nodeAffinity": node_affinity}
    spec["tolerations"] = tolerations(spec)
    return {**pod, "spec": spec}


@dataclass(frozen=True)
class Changes:
    """Nodes that need a pod, and pods that have to go; `failed` of them are reported."""

    create: tuple[str, ...] = ()
    delete: tuple[Object, ...] = ()
    failed: tuple[Object, ...] = ()


def by_node(pods: Iterable[Object]) -> dict[str, list[Object]]:
    """Pods by the node they belong to."""
    found: dict[str, list[Object]] = {}
    for pod in pods:
        found.setdefault(target_node(pod), []).append(pod)
    return found


def strategy(daemon_set: Object) -> Object:
    found: Object = daemon_set["spec"].get("updateStrategy") or {}
    return found


def max_surge(daemon_set: Object, desired: int) -> int:
    """On how many nodes an update may have a new pod beside the old one."""
    value = (strategy(daemon_set).get("rollingUpdate") or {}).get("maxSurge", 0)
    return scaled_value(value, desired, round_up=True) if strategy(daemon_set).get("type") != "OnDelete" else 0


def is_new(pod: Object, digest: str) -> bool:
    """Whether a pod is of the present template."""
    return meta.labels(pod).get(HASH_LABEL) == digest


def excess(daemon_set: Object, running: Sequence[Object], digest: str, now: datetime) -> list[Object]:
    """Which of a node's running pods, oldest first, are too many: all but the oldest.

    With maxSurge an old pod and a new one may be there, until the new one is available or the old one is not ready.
    """
    if len(running) < 2 or not max_surge(daemon_set, len(running)):
        return [*running[1:]]
    new = next((pod for pod in running if is_new(pod, digest)), None)
    old = next((pod for pod in running if not is_new(pod, digest)), None)
    too_many = [pod for pod in running if pod is not new and pod is not old]
    replaced = new is not None and podlib.is_available(new, daemon_set["spec"].get("minReadySeconds", 0), now)
    if new is not None and old is not None and (replaced or not podlib.is_ready(old)):
        too_many.append(old)
    return too_many


def compute_changes(
    daemon_set: Object, nodes: Sequence[Object], pods: Mapping[str, Sequence[Object]], digest: str, now: datetime
) -> Changes:
    """One pod on each node that wants one: the oldest of several stays, ended ones are replaced."""
    create: list[str] = []
    delete: list[Object] = []
    failed: list[Object] = []
    names = set()
    for node in nodes:
        name = meta.name(node)
        names.add(name)
        here = [pod for pod in pods.get(name, ()) if not meta.is_deleting(pod)]
        start, stay = should_run(daemon_set, node)
        if not stay:
            delete += here
            continue
        ended = [pod for pod in here if podlib.is_terminal(pod)]
        failed += [pod for pod in ended if podlib.phase(pod) == "Failed"]
        running = [pod for pod in here if not podlib.is_terminal(pod)]
        running.sort(key=lambda pod: (not podlib.node_name(pod), meta.metadata(pod).get("creationTimestamp") or ""))
        delete += [*ended, *excess(daemon_set, running, digest, now)]
        if start and not pods.get(name):
            create.append(name)
    # A pod made for a node that is gone before it was scheduled would wait for ever.
    for name, there in pods.items():
        if name not in names:
            delete += [pod for pod in there if not podlib.node_name(pod) and not meta.is_deleting(pod)]
    return Changes(tuple(create), tuple(delete), tuple(failed))
