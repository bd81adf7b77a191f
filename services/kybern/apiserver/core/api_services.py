"""APIServices as data: those that every cluster has, their conditions, the order they give to groups and versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kybern.kube.meta import format_time

Object = dict[str, Any]
GROUP, VERSION, RESOURCE, KIND = "apiregistration.k8s.io", "v1", "apiservices", "APIService"
MANAGED = "kube-aggregator.kubernetes.io/automanaged"
ON_START, ALWAYS = "onstart", "true"
AVAILABLE = "Available"
CUSTOM = (1000, 100)  # priorities of groups that definitions make
UNLISTED = (15000, 1)  # of a built-in group version that is in no table
PRIORITIES: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "": (18000, {"v1": 1}),
    "apps": (17800, {"v1": 15}),
    "events.k8s.io": (17750, {"v1": 15}),
    "authentication.k8s.io": (17700, {"v1": 15}),
    "authorization.k8s.io": (17600, {"v1": 15}),
    "autoscaling": (17500, {"v2": 30, "v1": 15}),
    "batch": (17400, {"v1": 15}),
    "certificates.k8s.io": (17300, {"v1": 15}),
    "networking.k8s.io": (17200, {"v1": 15}),
    "policy": (17100, {"v1": 15}),
    "rbac.authorization.k8s.io": (17000, {"v1": 15}),
    "storage.k8s.io": (16800, {"v1": 15}),
    "apiextensions.k8s.io": (16700, {"v1": 15}),
    "admissionregistration.k8s.io": (16700, {"v1": 15}),
    "scheduling.k8s.io": (16600, {"v1": 15}),
    "coordination.k8s.io": (16500, {"v1": 15}),
    "node.k8s.io": (16300, {"v1": 15}),
    "discovery.k8s.io": (16200, {"v1": 15}),
    "resource.k8s.io": (16200, {"v1": 21}),
    "flowcontrol.apiserver.k8s.io": (16100, {"v1": 21}),
}
Priority = tuple[int, int]  # of the group, of the version


@dataclass(frozen=True)
class Said:
    """What a condition says; `status` is True or False."""

    status: bool
    reason: str
    message: str


LOCAL = Said(True, "Local", "Local APIServices are always available")
PASSED = Said(True, "Passed", "all checks passed")


def name_of(group: str, version: str) -> str:
    """The name that an APIService must have."""
    return f"{version}.{group}"


def built_in_priority(group: str, version: str) -> Priority:
    """As a cluster's own APIServices have it."""
    of_group, versions = PRIORITIES.get(group, (UNLISTED[0], {}))
    return of_group, versions.get(version, UNLISTED[1])


def local(group: str, version: str, priority: Priority, managed: str) -> Object:
    """The APIService of a group version that this apiserver answers itself."""
    spec: Object = {"version": version, "groupPriorityMinimum": priority[0], "versionPriority": priority[1]}
    if group:
        spec["group"] = group
    metadata = {"name": name_of(group, version), "labels": {MANAGED: managed}}
    return {"kind": KIND, "apiVersion": f"{GROUP}/{VERSION}", "metadata": metadata, "spec": spec}


def condition(api_service: Object) -> Object:
    """The Available condition; empty if there is none."""
    found = (api_service.get("status") or {}).get("conditions") or ()
    return next((one for one in found if one.get("type") == AVAILABLE), {})


def is_available(api_service: Object) -> bool:
    """Whether requests may be sent to it."""
    return bool(condition(api_service).get("status") == "True")


def decide_status(api_service: Object, said: Said, now: datetime) -> Object:
    """The status with this said of availability; the time of transition changes with True and False alone."""
    old = condition(api_service)
    status = "True" if said.status else "False"
    moved = old.get("lastTransitionTime") if old.get("status") == status else None
    made = {
        "lastTransitionTime": moved or format_time(now),
        "message": said.message,
        "reason": said.reason,
        "status": status,
        "type": AVAILABLE,
    }
    others = [c for c in (api_service.get("status") or {}).get("conditions") or () if c.get("type") != AVAILABLE]
    return {**(api_service.get("status") or {}), "conditions": [*others, made]}


def priority_of(api_service: Object) -> Priority:
    spec = api_service["spec"]
    return spec.get("groupPriorityMinimum") or 0, spec.get("versionPriority") or 0


def group_order(
    priorities: Mapping[tuple[str, str], Priority], version_order: Any
) -> list[tuple[str, tuple[str, ...]]]:
    """Groups with their versions, most preferred first.

    The core group and the aggregator's own come first, then by the highest groupPriorityMinimum of a group's versions
    and by name; versions by versionPriority, then as `version_order` (a sort key) says.
    """
    groups: dict[str, list[str]] = {}
    for group, version in priorities:
        groups.setdefault(group, []).append(version)

    def place(group: str) -> tuple[int, int, str]:
        first = {"": 0, GROUP: 1}.get(group, 2)
        return first, -max(priorities[group, version][0] for version in groups[group]), group

    def ordered(group: str) -> tuple[str, ...]:
        return tuple(
            sorted(groups[group], key=lambda version: (-priorities[group, version][1], version_order(version)))
        )

    return [(group, ordered(group)) for group in sorted(groups, key=place)]
