"""What of a pod or node the scheduler keeps in memory: the rest is dropped before an object is stored."""

from typing import Any

Object = dict[str, Any]
_METADATA = (
    *("name", "namespace", "uid", "resourceVersion", "labels", "creationTimestamp", "deletionTimestamp"),
    *("generation", "ownerReferences"),
)
_POD_STATUS = ("phase", "nominatedNodeName", "startTime")
_CONTAINER = ("name", "image", "ports", "resources", "restartPolicy")
_POD_SPEC_DROPPED = ("containers", "initContainers", "ephemeralContainers", "volumes", "securityContext")
_NODE_STATUS = ("allocatable", "capacity", "images")


def slim_pod(pod: Object) -> Object:
    """A pod without volumes, commands, environments and most of its status."""
    spec = pod.get("spec") or {}
    kept = {name: value for name, value in spec.items() if name not in _POD_SPEC_DROPPED}
    for kind in ("containers", "initContainers"):
        if containers := spec.get(kind):
            kept[kind] = [_members(container, _CONTAINER) for container in containers]
    status = pod.get("status") or {}
    slim_status = _members(status, _POD_STATUS)
    conditions = [c for c in status.get("conditions") or () if c.get("type") == "PodScheduled"]
    if conditions:
        slim_status["conditions"] = conditions
    return {**_head(pod), "spec": kept, "status": slim_status}


def slim_node(node: Object) -> Object:
    """A node without conditions, addresses and system information."""
    return {**_head(node), "spec": node.get("spec") or {}, "status": _members(node.get("status") or {}, _NODE_STATUS)}


def slim_namespace(namespace: Object) -> Object:
    """A namespace's metadata."""
    return _head(namespace)


def _head(obj: Object) -> Object:
    return {**_members(obj, ("apiVersion", "kind")), "metadata": _members(obj.get("metadata") or {}, _METADATA)}


def _members(obj: Object, names: tuple[str, ...]) -> Object:
    return {name: obj[name] for name in names if name in obj}
