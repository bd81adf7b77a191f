"""Two versions of a pod: what in them is the node's own, and whether they ask for the same."""

from kybern.kube.meta import Object
from kybern.node.core.resize_conditions import TYPES

# Conditions that the node writes.
OWNED = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", *TYPES)
TERMINAL = ("Succeeded", "Failed")


def others(status: Object) -> dict[str, Object]:
    """Conditions that the node does not own, by type."""
    return {c["type"]: c for c in status.get("conditions") or [] if c["type"] not in OWNED}


def same_wish(old: Object, new: Object) -> bool:
    """Whether two versions of a pod differ only in what the node itself writes."""
    fields = ("labels", "annotations", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
    if any(old["metadata"].get(f) != new["metadata"].get(f) for f in fields) or old["spec"] != new["spec"]:
        return False
    states = [{t: c.get("status") for t, c in others(pod.get("status") or {}).items()} for pod in (old, new)]
    return states[0] == states[1]


def with_status(pod: Object, own: Object | None) -> Object:
    """The pod with the node's own last status, which may be newer than the apiserver's; conditions of others stay."""
    if own is None:
        return pod
    theirs = pod.get("status") or {}
    mine = [c for c in own["conditions"] if c["type"] in OWNED]
    return {**pod, "status": {**theirs, **own, "conditions": [*others(theirs).values(), *mine]}}


def drifted(pod: Object, own: Object | None) -> bool:
    """Whether somebody else has written what the node owns: the apiserver has another status than the node."""
    if own is None:
        return False
    theirs = pod.get("status") or {}
    return theirs.get("phase") != own.get("phase") or _states(theirs) != _states(own)


def _states(status: Object) -> dict[str, str]:
    return {c["type"]: c["status"] for c in status.get("conditions") or [] if c["type"] in OWNED}
