"""Pods as controllers see them: active, ready, available, and made from templates."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from kybern.kube import meta
from kybern.kube.conditions import get_condition
from kybern.kube.meta import Object

POD_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
POD_TEMPLATE_HASH = "pod-template-hash"


def phase(pod: Mapping[str, Any]) -> str:
    status: Object = pod.get("status") or {}
    return status.get("phase") or "Pending"


def node_name(pod: Mapping[str, Any]) -> str:
    spec: Object = pod.get("spec") or {}
    return spec.get("nodeName") or ""


def is_terminal(pod: Mapping[str, Any]) -> bool:
    """Its containers have run for the last time."""
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Mapping[str, Any]) -> bool:
    """It counts for its controller: neither ended nor being deleted."""
    return not is_terminal(pod) and not meta.is_deleting(pod)


def is_terminating(pod: Mapping[str, Any]) -> bool:
    """It is being deleted and still has containers."""
    return not is_terminal(pod) and meta.is_deleting(pod)


def ready_condition(pod: Mapping[str, Any]) -> Object | None:
    return get_condition(pod, "Ready")


def is_ready(pod: Mapping[str, Any]) -> bool:
    condition = ready_condition(pod)
    return condition is not None and condition.get("status") == "True"


def ready_since(pod: Mapping[str, Any]) -> datetime | None:
    """When it became ready; None if it is not."""
    condition = ready_condition(pod)
    if condition is None or condition.get("status") != "True":
        return None
    return meta.parse_time(condition.get("lastTransitionTime"))


def is_available(pod: Mapping[str, Any], min_ready_seconds: int, now: datetime) -> bool:
    """Ready, and for long enough."""
    if not is_ready(pod):
        return False
    if min_ready_seconds == 0:
        return True
    since = ready_since(pod)
    return since is not None and since + timedelta(seconds=min_ready_seconds) <= now


def restarts(pod: Mapping[str, Any]) -> int:
    """The most restarts of any of its containers."""
    status: Object = pod.get("status") or {}
    return max((c.get("restartCount", 0) for c in status.get("containerStatuses") or ()), default=0)


def pod_from_template(template: Object, owner: Object, *, name: str = "") -> Object:
    """A pod to create for `owner`; without a name, one is made from the owner's."""
    given: Object = template.get("metadata") or {}
    metadata: Object = {"namespace": meta.namespace(owner), "ownerReferences": [meta.owner_reference(owner)]}
    if name:
        metadata["name"] = name
    else:
        metadata["generateName"] = f"{meta.name(owner)}-"
    for field in ("labels", "annotations", "finalizers"):
        if given.get(field):
            metadata[field] = given[field].copy()
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.get("spec") or {}}
