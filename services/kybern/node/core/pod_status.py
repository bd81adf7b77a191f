"""A pod's status from its spec and what the runtime has: container statuses, conditions, phase. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kybern.kube.container_restarts import restarts_after
from kybern.kube.meta import Object, format_time
from kybern.node.core import resize_conditions
from kybern.node.core.pod_actions import Health, is_sidecar
from kybern.node.core.resize import Given, resources_of
from kybern.node.core.runtime_pod import Container, RuntimePod, State

Status = dict[str, Any]
NO_HEALTH = Health()
STATUS_LISTS = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


@dataclass(frozen=True)
class Observed:
    """All that a status is made of, besides the pod."""

    runtime: RuntimePod
    now: datetime
    health: Health = NO_HEALTH
    waiting: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # container → (reason, message)
    host_ips: tuple[str, ...] = ()
    initialized: bool = False
    failure: tuple[str, str] | None = None  # (reason, message) of a pod failed by the node
    ended: bool = False  # the pod has been stopped for good
    given: Given = field(default_factory=dict)
    resizing: tuple[Status, ...] = ()  # conditions


def state_of(container: Container) -> Status:
    """The `state` of a container that the runtime has started."""
    if container.state is State.RUNNING:
        return {"running": times(startedAt=container.started_at)}
    ended: Status = {"exitCode": container.exit_code, "reason": container.reason or ended_reason(container)}
    if container.message:
        ended["message"] = container.message
    ended |= times(startedAt=container.started_at, finishedAt=container.finished_at)
    return {"terminated": {**ended, "containerID": container.uri}}


def ended_reason(container: Container) -> str:
    return "Completed" if container.exit_code == 0 else "Error"


def times(**moments: datetime | None) -> Status:
    return {name: format_time(moment) for name, moment in moments.items() if moment is not None}


def container_status(container: Object, observed: Observed, old: Status | None, waits: str) -> Status:
    """The status of one container; `waits` is its reason while nothing else is known."""
    name = container["name"]
    last = observed.runtime.latest(name)
    if last is None and "terminated" in ((old or {}).get("state") or {}):
        return dict(old or {})  # the runtime has forgotten it; its end is still true
    previous = observed.runtime.previous(name)
    found: Status = {"name": name, "image": container.get("image", ""), "imageID": "", "lastState": {}, "ready": False}
    found |= {"restartCount": (old or {}).get("restartCount", 0), "started": False}
    waiting = observed.waiting.get(name)
    if last is None or last.state in (State.CREATED, State.UNKNOWN):
        reason, message = waiting or (waits, "")
        found["state"] = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        found["restartCount"] = last.attempt if last else found["restartCount"]
        if previous is not None:
            found["lastState"] = state_of(previous)
        return found
    found |= {"image": last.image, "imageID": last.image_ref, "containerID": last.uri}
    found |= {"restartCount": last.attempt, "state": state_of(last)}
    if previous is not None:
        found["lastState"] = state_of(previous)
    if last.state is State.RUNNING:
        found["started"] = last.id in observed.health.started
        found["ready"] = found["started"] and last.id in observed.health.ready
        found |= resource_status(container, resources_of(last, observed.given))
    elif waiting is not None:  # it ended, and waits for its restart
        reason, message = waiting
        found["lastState"] = state_of(last)
        found["state"] = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    return found


def resource_status(container: Object, has: Object | None) -> Status:
    """What is set aside for a running container, and what it has; nothing where that is not known."""
    if has is None:
        return {}
    requests = (container.get("resources") or {}).get("requests")
    return {"resources": has} | ({"allocatedResources": requests} if requests else {})


def init_status(container: Object, observed: Observed, old: Status | None) -> Status:
    """An init container is ready when it has succeeded, a sidecar when its probes say so."""
    found = container_status(container, observed, old, "PodInitializing")
    if not is_sidecar(container):
        found["ready"] = (found["state"].get("terminated") or {}).get("exitCode") == 0 and "terminated" in found[
            "state"
        ]
    return found


def is_initialized(inits: list[Object], statuses: list[Status]) -> bool:
    """Whether the pod's other containers may start."""
    return all(
        status["started"] if is_sidecar(container) else status["ready"]
        for container, status in zip(inits, statuses, strict=True)
    )


def compute_phase(pod: Object, inits: list[Status], statuses: list[Status], initialized: bool) -> str:
    """Pending, Running, Succeeded or Failed, by upstream's getPhase."""
    specs = pod["spec"].get("initContainers") or []
    if not initialized:
        for spec, status in zip(specs, inits, strict=True):
            code = exit_code(status)
            if not is_sidecar(spec) and code and not restarts_after(pod["spec"], spec, code):
                return "Failed"
    if not initialized and not any("containerID" in status for status in statuses):
        return "Pending"
    running = waiting = restarting = bad = 0
    for spec, status in zip(pod["spec"]["containers"], statuses, strict=True):
        code = exit_code(status)
        if "running" in status["state"]:
            running += 1
        elif code is None:
            waiting += 1
        else:
            restarting += restarts_after(pod["spec"], spec, code)
            bad += code != 0
    if waiting:
        return "Pending"
    if running or restarting:
        return "Running"
    return "Failed" if bad else "Succeeded"


def exit_code(status: Status) -> int | None:
    """How a container that does not run has ended, now or the last time."""
    for state in (status["state"], status.get("lastState") or {}):
        if "running" in state:
            return None
        if ended := state.get("terminated"):
            return int(ended["exitCode"])
    return None


def terminal(pod: Object, statuses: list[Status], phase: str) -> str:
    """OnFailure: a pod whose failed containers wait for their restart is Running, not over."""
    return "Running" if phase == "Succeeded" and any("waiting" in s["state"] for s in statuses) else phase


def condition(type_: str, holds: bool, reason: str = "", message: str = "") -> Status:
    found: Status = {"type": type_, "status": "True" if holds else "False"}
    if not holds and reason:
        found["reason"] = reason
    if not holds and message:
        found["message"] = message
    return found


def lacking(statuses: list[Status], field_: str) -> list[str]:
    return [status["name"] for status in statuses if not status[field_]]


def compute_conditions(
    pod: Object, inits: list[Status], statuses: list[Status], phase: str, sandbox: bool
) -> list[Status]:
    """The conditions that the node owns, without times."""
    specs = pod["spec"].get("initContainers") or []
    initialized = phase == "Succeeded" or is_initialized(specs, inits)
    incomplete = [
        s["name"] for c, s in zip(specs, inits, strict=True) if not s["started" if is_sidecar(c) else "ready"]
    ]
    over = "PodCompleted" if phase == "Succeeded" else "PodFailed" if phase == "Failed" else ""
    sidecars = [s for c, s in zip(specs, inits, strict=True) if is_sidecar(c)]
    unready = lacking([*sidecars, *statuses], "ready")
    why = f"containers with unready status: [{' '.join(unready)}]" if unready and not over else ""
    ready = not unready and not over
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or []]
    have = {c["type"]: c["status"] for c in (pod.get("status") or {}).get("conditions") or []}
    missing = [gate for gate in gates if have.get(gate) != "True"]
    gate_message = "; ".join(
        f'corresponding condition of pod readiness gate "{gate}" '
        + ("does not exist." if gate not in have else 'is not "True".')
        for gate in missing
    )
    unfinished = f"containers with incomplete status: [{' '.join(incomplete)}]"
    init = condition("Initialized", initialized, "ContainersNotInitialized", unfinished)
    if phase == "Succeeded":
        init["reason"] = "PodCompleted"
    lack = "ReadinessGatesNotReady" if ready else "ContainersNotReady"
    return [
        condition("PodReadyToStartContainers", sandbox and not over),
        init,
        condition("Ready", ready and not missing, over or lack, why or gate_message),
        condition("ContainersReady", ready, over or "ContainersNotReady", why),
    ]


def merge_conditions(old: list[Status], new: list[Status], now: datetime, generation: int | None) -> list[Status]:
    """Conditions of others kept; lastTransitionTime moves only with the status."""
    before = {c["type"]: c for c in old}
    owned = {c["type"] for c in new}
    merged = [dict(c) for c in old if c["type"] not in owned]
    for one in new:
        was = before.get(one["type"])
        same = was is not None and was.get("status") == one["status"]
        moment = was["lastTransitionTime"] if was and same and was.get("lastTransitionTime") else format_time(now)
        extra = {"observedGeneration": generation} if generation else {}
        merged.append({**one, "lastProbeTime": None, "lastTransitionTime": moment, **extra})
    return merged


def with_end(status: Status) -> Status:
    """The status of a container of a pod that has been stopped: one that left no trace counts as killed."""
    if "terminated" in status["state"]:
        return status
    message = "The container could not be located when the pod was terminated"
    return {
        **status,
        "state": {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": message}},
    }


def compute_status(pod: Object, observed: Observed) -> Status:
    """The whole `status` the node writes for a pod."""
    old = pod.get("status") or {}
    olds = {s["name"]: s for key in STATUS_LISTS for s in old.get(key) or []}
    specs = pod["spec"].get("initContainers") or []
    inits = [init_status(c, observed, olds.get(c["name"])) for c in specs]
    initialized = observed.initialized or is_initialized(specs, inits)
    waits = "ContainerCreating" if initialized else "PodInitializing"
    statuses = [container_status(c, observed, olds.get(c["name"]), waits) for c in pod["spec"]["containers"]]
    phase = terminal(pod, statuses, compute_phase(pod, inits, statuses, initialized))
    if observed.ended:
        if initialized or any("waiting" not in s["state"] or s.get("lastState") for s in statuses):
            statuses = [with_end(status) for status in statuses]
        ends = [s["state"].get("terminated", {"exitCode": 1})["exitCode"] for s in statuses]  # never begun: not done
        phase = "Failed" if any(ends) else "Succeeded"
    if old.get("phase") in ("Succeeded", "Failed"):
        phase = old["phase"]
    found: Status = {"phase": phase}
    if observed.failure:
        found |= {"phase": "Failed", "reason": observed.failure[0], "message": observed.failure[1]}
    sandbox = observed.runtime.ready_sandbox
    wanted = compute_conditions(pod, inits, statuses, found["phase"], sandbox is not None)
    generation = pod["metadata"].get("generation")
    kept = [c for c in old.get("conditions") or () if c["type"] not in resize_conditions.TYPES]
    found["conditions"] = merge_conditions(kept, wanted, observed.now, generation)
    if found["phase"] not in ("Succeeded", "Failed"):
        found["conditions"] += observed.resizing
    if generation:
        found["observedGeneration"] = generation
    found |= addresses(pod, observed)
    found["startTime"] = old.get("startTime") or format_time(observed.now)
    if specs:
        found["initContainerStatuses"] = inits
    found["containerStatuses"] = statuses
    if extra := pod["spec"].get("ephemeralContainers"):
        found["ephemeralContainerStatuses"] = [
            container_status(c, observed, olds.get(c["name"]), "ContainerCreating") for c in extra
        ]
    if old.get("qosClass"):
        found["qosClass"] = old["qosClass"]
    return found


def addresses(pod: Object, observed: Observed) -> Status:
    """hostIP(s) and podIP(s); a pod keeps the address it had while its sandbox goes away."""
    found: Status = {}
    if observed.host_ips:
        found |= {"hostIP": observed.host_ips[0], "hostIPs": [{"ip": ip} for ip in observed.host_ips]}
    sandbox = observed.runtime.ready_sandbox or next(iter(observed.runtime.sandboxes), None)
    ips: tuple[str, ...] = sandbox.ips if sandbox else ()
    if pod["spec"].get("hostNetwork") and sandbox:
        ips = observed.host_ips
    if ips:
        return {**found, "podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}
    old = pod.get("status") or {}
    return {**found, **{key: old[key] for key in ("podIP", "podIPs") if old.get(key)}}
