"""Node health, pure: heartbeats and conditions in, conditions and taints out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from kybern.controllers.core.taints import NO_EXECUTE, NO_SCHEDULE, NOT_READY, UNREACHABLE
from kybern.kube import meta
from kybern.kube.conditions import condition_status, find_condition
from kybern.kube.meta import Object

STARTUP_GRACE_SECONDS = 60.0
HEARTBEAT_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
# condition → status → taint
CONDITION_TAINTS = {
    "Ready": {"False": NOT_READY, "Unknown": UNREACHABLE},
    "MemoryPressure": {"True": "node.kubernetes.io/memory-pressure"},
    "DiskPressure": {"True": "node.kubernetes.io/disk-pressure"},
    "NetworkUnavailable": {"True": "node.kubernetes.io/network-unavailable"},
    "PIDPressure": {"True": "node.kubernetes.io/pid-pressure"},
}
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
MANAGED_NO_SCHEDULE = {
    *(taint for taints in CONDITION_TAINTS.values() for taint in taints.values()),
    UNSCHEDULABLE,
}
ZONE_LABELS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
UNHEALTHY_ZONE_THRESHOLD = 0.55
LARGE_CLUSTER = 50
EVICTION_RATE, SECONDARY_EVICTION_RATE = 0.1, 0.01  # nodes a second, in each zone


@dataclass(frozen=True, slots=True)
class Health:
    """The last sign of life of a node as it was seen here: what it said and when that was, by a local timer."""

    ready: Object | None
    renew_time: str
    seen_at: float


def observe(known: Health | None, node: Object, lease: Object | None, monotonic: float) -> Health:
    """A heartbeat is any change of the Ready condition's heartbeat or of the lease; nobody's clock is believed."""
    ready = find_condition((node.get("status") or {}).get("conditions"), "Ready")
    renewed = ((lease or {}).get("spec") or {}).get("renewTime") or ""
    if known is None:
        return Health(ready, renewed, monotonic)
    beat = (known.ready or {}).get("lastHeartbeatTime") != (ready or {}).get("lastHeartbeatTime")
    said = (known.ready or {}).get("status") != (ready or {}).get("status") and (ready or {}).get("status") != "Unknown"
    alive = beat or said or renewed > known.renew_time
    return Health(ready, max(renewed, known.renew_time), monotonic if alive else known.seen_at)


def is_silent(health: Health, grace_seconds: float, monotonic: float) -> bool:
    """No sign of life for longer than the grace period; a node that never spoke gets a minute at least."""
    grace = grace_seconds if health.ready is not None else max(grace_seconds, STARTUP_GRACE_SECONDS)
    return monotonic > health.seen_at + grace


def compute_unknown_conditions(node: Object, now: datetime) -> list[Object] | None:
    """The conditions of a silent node: what it used to say itself is Unknown. None when they say so already."""
    time = meta.format_time(now)
    conditions: list[Object] = [dict(c) for c in (node.get("status") or {}).get("conditions") or []]
    changed = False
    for type_ in HEARTBEAT_CONDITIONS:
        current = find_condition(conditions, type_)
        if current is None:
            created = meta.metadata(node).get("creationTimestamp")
            conditions.append(
                {
                    "type": type_,
                    "status": "Unknown",
                    "reason": "NodeStatusNeverUpdated",
                    "message": "Kubelet never posted node status.",
                    "lastHeartbeatTime": created,
                    "lastTransitionTime": time,
                }
            )
            changed = True
        elif current["status"] != "Unknown":
            current |= {
                "status": "Unknown",
                "reason": "NodeStatusUnknown",
                "message": "Kubelet stopped posting node status.",
                "lastTransitionTime": time,
            }
            changed = True
    return conditions if changed else None


def compute_no_schedule(node: Object, now: datetime) -> list[Object] | None:
    """All taints of a node once its NoSchedule taints follow its conditions; None when they do."""
    wanted = [
        taints[condition_status(node, type_)]
        for type_, taints in CONDITION_TAINTS.items()
        if find_condition((node.get("status") or {}).get("conditions"), type_)
        and condition_status(node, type_) in taints
    ]
    if (node.get("spec") or {}).get("unschedulable"):
        wanted.append(UNSCHEDULABLE)
    return _with_taints(node, wanted, MANAGED_NO_SCHEDULE, NO_SCHEDULE, now)


def compute_no_execute(node: Object, now: datetime, *, none: bool = False) -> list[Object] | None:
    """All taints of a node once its NoExecute taint says not-ready, unreachable or (also with `none`) nothing."""
    ready = find_condition((node.get("status") or {}).get("conditions"), "Ready")
    taint = CONDITION_TAINTS["Ready"].get(ready["status"]) if ready is not None and not none else None
    return _with_taints(node, [taint] if taint else [], {NOT_READY, UNREACHABLE}, NO_EXECUTE, now)


def _with_taints(
    node: Object, wanted: Sequence[str], managed: Iterable[str], effect: str, now: datetime
) -> list[Object] | None:
    taints: list[Object] = (node.get("spec") or {}).get("taints") or []
    mine = {taint["key"] for taint in taints if taint.get("effect") == effect and taint["key"] in managed}
    if mine == set(wanted):
        return None
    kept = [t for t in taints if t.get("effect") != effect or t["key"] not in mine or t["key"] in wanted]
    new: list[Object] = [
        {"key": key, "effect": effect, "timeAdded": meta.format_time(now)} for key in wanted if key not in mine
    ]
    return kept + new


class ZoneState(Enum):
    """How much of a zone is ready."""

    NORMAL = "Normal"
    PARTIAL_DISRUPTION = "PartialDisruption"
    FULL_DISRUPTION = "FullDisruption"


def zone_of(node: Object) -> str:
    labels = meta.labels(node)
    return ":".join(labels.get(label, "") for label in ZONE_LABELS)


def zone_state(nodes: Sequence[Object]) -> ZoneState:
    ready = sum(condition_status(node, "Ready") == "True" for node in nodes)
    unready = len(nodes) - ready
    if ready == 0 and unready > 0:
        return ZoneState.FULL_DISRUPTION
    if unready > 2 and unready / len(nodes) >= UNHEALTHY_ZONE_THRESHOLD:
        return ZoneState.PARTIAL_DISRUPTION
    return ZoneState.NORMAL


def eviction_rate(state: ZoneState, size: int) -> float:
    """How many nodes of a zone may get a NoExecute taint each second."""
    if state is ZoneState.PARTIAL_DISRUPTION:
        return SECONDARY_EVICTION_RATE if size > LARGE_CLUSTER else 0.0
    return EVICTION_RATE


def compute_pod_not_ready(pod: Object, now: datetime) -> Object | None:
    """The status of a pod on a node that is not ready; None when it is not ready either."""
    conditions = [dict(c) for c in (pod.get("status") or {}).get("conditions") or []]
    ready = find_condition(conditions, "Ready")
    if ready is None or ready["status"] != "True":
        return None
    ready |= {"status": "False", "lastTransitionTime": meta.format_time(now)}
    return {**pod["status"], "conditions": conditions}
