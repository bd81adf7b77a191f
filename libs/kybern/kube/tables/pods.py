"""Pod rows: the one word in STATUS sums up phase, init progress, container states and deletion, as users know it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kybern.kube import conditions, duration, meta
from kybern.kube.meta import Object
from kybern.kube.tables.cells import NONE, Cells, age, or_none, spec, status


@dataclass(frozen=True, slots=True)
class PodSummary:
    """What a Pod row shows beyond its plain fields."""

    reason: str
    ready: int
    total: int
    restarts: int
    last_restart: datetime | None


@dataclass(slots=True)
class _Restarts:
    count: int = 0
    last: datetime | None = None

    def add(self, container: Object) -> None:
        self.count += container.get("restartCount") or 0
        finished = meta.parse_time(((container.get("lastState") or {}).get("terminated") or {}).get("finishedAt"))
        if finished is not None and (self.last is None or finished > self.last):
            self.last = finished


def pod_cells(pod: Object, now: datetime) -> Cells:
    summary = summarize_pod(pod)
    restarts: Any = str(summary.restarts)
    if summary.restarts and summary.last_restart is not None:
        restarts = f"{restarts} ({duration.human(now - summary.last_restart)} ago)"
    return [
        meta.name(pod),
        f"{summary.ready}/{summary.total}",
        summary.reason,
        restarts,
        age(pod, now),
        or_none(_pod_ip(pod)),
        or_none(spec(pod).get("nodeName")),
        or_none(status(pod).get("nominatedNodeName")),
        _readiness_gates(pod),
    ]


def summarize_pod(pod: Object) -> PodSummary:
    """STATUS, READY and RESTARTS of a pod, as `kubectl get pods` shows them."""
    sidecars = {c["name"] for c in spec(pod).get("initContainers") or () if c.get("restartPolicy") == "Always"}
    init_reason, ready, init_restarts, sidecar_restarts = _init_state(pod, sidecars)
    reason, restarts = init_reason, init_restarts
    if not init_reason or conditions.is_condition_true(pod, "Initialized"):
        restarts = sidecar_restarts
        reason, main_ready = _main_state(pod, init_reason or _base_reason(pod), restarts)
        ready += main_ready
    total = len(spec(pod).get("containers") or ()) + len(sidecars)
    return PodSummary(_deletion_reason(pod, reason), ready, total, restarts.count, restarts.last)


def _base_reason(pod: Object) -> str:
    scheduled = conditions.get_condition(pod, "PodScheduled") or {}
    if scheduled.get("reason") == "SchedulingGated":
        return "SchedulingGated"
    return status(pod).get("reason") or status(pod).get("phase") or ""


def _init_state(pod: Object, sidecars: set[str]) -> tuple[str, int, _Restarts, _Restarts]:
    """(reason or "" when initialization is over, ready sidecars, restarts of all seen, restarts of sidecars)."""
    ready, everyone, only_sidecars = 0, _Restarts(), _Restarts()
    for index, container in enumerate(status(pod).get("initContainerStatuses") or ()):
        sidecar = container.get("name") in sidecars
        everyone.add(container)
        if sidecar:
            only_sidecars.add(container)
        state = container.get("state") or {}
        ended = state.get("terminated")
        if ended is not None and not ended.get("exitCode"):
            continue
        if sidecar and container.get("started"):
            ready += bool(container.get("ready"))
            continue
        return _init_reason(pod, index, state), ready, everyone, only_sidecars
    return "", ready, everyone, only_sidecars


def _init_reason(pod: Object, index: int, state: Object) -> str:
    if (ended := state.get("terminated")) is not None:
        return f"Init:{_terminated_reason(ended)}"
    waiting = (state.get("waiting") or {}).get("reason") or ""
    if waiting and waiting != "PodInitializing":
        return f"Init:{waiting}"
    return f"Init:{index}/{len(spec(pod).get('initContainers') or ())}"


def _terminated_reason(ended: Object) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode') or 0}"


def _main_state(pod: Object, reason: str, restarts: _Restarts) -> tuple[str, int]:
    """(reason, ready containers): the first container that is not simply running gives the reason."""
    ready = 0
    for container in reversed(status(pod).get("containerStatuses") or ()):
        restarts.add(container)
        state = container.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            reason = state["waiting"]["reason"]
        elif state.get("terminated") is not None:
            reason = _terminated_reason(state["terminated"])
        elif container.get("ready") and state.get("running") is not None:
            ready += 1
    if reason == "Completed" and ready:
        reason = "Running" if conditions.is_condition_true(pod, "Ready") else "NotReady"
    return reason, ready


def _deletion_reason(pod: Object, reason: str) -> str:
    if not meta.is_deleting(pod):
        return reason
    if status(pod).get("reason") == "NodeLost":
        return "Unknown"
    return reason if status(pod).get("phase") in ("Succeeded", "Failed") else "Terminating"


def _pod_ip(pod: Object) -> str:
    addresses: Iterable[Object] = status(pod).get("podIPs") or ()
    return next((a.get("ip") or "" for a in addresses), "") or status(pod).get("podIP") or ""


def _readiness_gates(pod: Object) -> str:
    gates = spec(pod).get("readinessGates") or ()
    if not gates:
        return NONE
    held = sum(conditions.is_condition_true(pod, gate.get("conditionType", "")) for gate in gates)
    return f"{held}/{len(gates)}"


def pod_row_conditions(pod: Object) -> list[Object]:
    """Table row conditions: a finished pod's row is marked Completed, so that clients can grey it out."""
    phase = status(pod).get("phase")
    messages = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}
    if phase not in messages:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": messages[phase]}]
