"""Rows of the kinds that describe the cluster itself: Node, Namespace, Event, Lease, quotas, priorities, devices."""

from __future__ import annotations

from datetime import datetime

from kybern.kube import conditions, meta
from kybern.kube.meta import Object, name
from kybern.kube.tables.cells import NONE, UNKNOWN, Cells, age, joined, or_none, since, spec, status

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"


def node_cells(obj: Object, now: datetime) -> Cells:
    info = status(obj).get("nodeInfo") or {}
    return [
        name(obj),
        _node_status(obj),
        joined(_node_roles(obj)),
        age(obj, now),
        info.get("kubeletVersion", ""),
        _node_address(obj, "InternalIP"),
        _node_address(obj, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        _kernel(info),
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _kernel(info: Object) -> str:
    version, architecture = info.get("kernelVersion") or UNKNOWN, info.get("architecture")
    return f"{version} ({architecture})" if architecture else version


def _node_status(node: Object) -> str:
    ready = conditions.get_condition(node, "Ready")
    word = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    return f"{word},SchedulingDisabled" if spec(node).get("unschedulable") else word


def _node_roles(node: Object) -> list[str]:
    roles = {label.removeprefix(_ROLE_PREFIX) for label in meta.labels(node) if label.startswith(_ROLE_PREFIX)}
    roles.add(meta.labels(node).get(_ROLE_LABEL, ""))
    return sorted(role for role in roles if role)


def _node_address(node: Object, kind: str) -> str:
    addresses = status(node).get("addresses") or ()
    return next((a["address"] for a in addresses if a.get("type") == kind), NONE)


def namespace_cells(obj: Object, now: datetime) -> Cells:
    return [name(obj), status(obj).get("phase", ""), age(obj, now)]


def event_cells(obj: Object, now: datetime) -> Cells:
    """An Event of core/v1 or events.k8s.io/v1, whose field names differ."""
    regarding = obj.get("involvedObject") or obj.get("regarding") or {}
    first = obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime")
    last = obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp") or first
    count = obj.get("count") or obj.get("deprecatedCount") or 1
    if series := obj.get("series"):
        last, count = series.get("lastObservedTime"), series.get("count", 0)
    kind = regarding.get("kind", "").lower()
    return [
        since(last, now),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{kind}/{regarding['name']}" if regarding.get("name") else kind,
        regarding.get("fieldPath", ""),
        _event_source(obj),
        (obj.get("message") or obj.get("note") or "").strip(),
        since(first, now),
        count,
        name(obj),
    ]


def _event_source(event: Object) -> str:
    source = event.get("source") or event.get("deprecatedSource") or {}
    component = source.get("component") or event.get("reportingComponent") or event.get("reportingController") or ""
    host = source.get("host") or ("" if source.get("component") else event.get("reportingInstance")) or ""
    return f"{component}, {host}" if host else component


def lease_cells(obj: Object, now: datetime) -> Cells:
    return [name(obj), spec(obj).get("holderIdentity") or "", age(obj, now)]


def component_status_cells(obj: Object, now: datetime) -> Cells:
    healthy = conditions.find_condition(obj.get("conditions"), "Healthy") or {}
    word = {"True": "Healthy", "False": "Unhealthy"}.get(healthy.get("status", ""), "Unknown")
    return [name(obj), word, healthy.get("message", ""), healthy.get("error", "")]


def resource_quota_cells(obj: Object, now: datetime) -> Cells:
    hard, used = status(obj).get("hard") or {}, status(obj).get("used") or {}
    usage = {resource: f"{resource}: {used.get(resource, 0)}/{hard[resource]}" for resource in sorted(hard)}
    limits = [text for resource, text in usage.items() if resource.startswith("limits.")]
    requests = [text for resource, text in usage.items() if not resource.startswith("limits.")]
    return [name(obj), ", ".join(requests), ", ".join(limits), age(obj, now)]


def priority_class_cells(obj: Object, now: datetime) -> Cells:
    policy = obj.get("preemptionPolicy") or "PreemptLowerPriority"
    return [name(obj), obj.get("value", 0), bool(obj.get("globalDefault")), age(obj, now), policy]


def runtime_class_cells(obj: Object, now: datetime) -> Cells:
    return [name(obj), obj.get("handler", ""), age(obj, now)]


def flow_schema_cells(obj: Object, now: datetime) -> Cells:
    method = spec(obj).get("distinguisherMethod") or {}
    dangling = (conditions.get_condition(obj, "Dangling") or {}).get("status") or "?"
    return [
        name(obj),
        (spec(obj).get("priorityLevelConfiguration") or {}).get("name", ""),
        spec(obj).get("matchingPrecedence", 0),
        or_none(method.get("type")),
        age(obj, now),
        dangling,
    ]


def priority_level_configuration_cells(obj: Object, now: datetime) -> Cells:
    limited = spec(obj).get("limited") or {}
    queuing = (limited.get("limitResponse") or {}).get("queuing") or {}
    return [
        name(obj),
        spec(obj).get("type", ""),
        limited.get("nominalConcurrencyShares", NONE),
        queuing.get("queues", NONE),
        queuing.get("handSize", NONE),
        queuing.get("queueLengthLimit", NONE),
        age(obj, now),
    ]


def api_service_cells(obj: Object, now: datetime) -> Cells:
    service = spec(obj).get("service")
    available = conditions.get_condition(obj, "Available") or {}
    shown = available.get("status") or "Unknown"
    if available and shown != "True":
        shown = f"{shown} ({available.get('reason', '')})"
    backend = f"{service.get('namespace', '')}/{service.get('name', '')}" if service else "Local"
    return [name(obj), backend, shown, age(obj, now)]


def resource_claim_cells(obj: Object, now: datetime) -> Cells:
    states = []
    if meta.is_deleting(obj):
        states.append("deleted")
    if status(obj).get("allocation") is None:
        if not meta.is_deleting(obj):
            states.append("pending")
    else:
        states.append("allocated")
        if status(obj).get("reservedFor"):
            states.append("reserved")
    return [name(obj), ",".join(states), age(obj, now)]


def resource_slice_cells(obj: Object, now: datetime) -> Cells:
    pool = (spec(obj).get("pool") or {}).get("name", "")
    return [name(obj), spec(obj).get("nodeName") or "", spec(obj).get("driver", ""), pool, age(obj, now)]
