"""The Node object as its agent writes it: labels, capacity, addresses, info, conditions; and its Lease. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kybern.kube.conditions import find_condition
from kybern.kube.meta import format_micro_time, format_time

Object = dict[str, Any]
KUBELET_VERSION = "v1.36.0"
DECLARED_FEATURES = ("InPlacePodVerticalScalingInitContainers",)  # that the API asks nodes about
AGENT_TARGET = "kybern.io/agent-target"
LEASE_SECONDS = 40
LEASE_NAMESPACE = "kube-node-lease"


@dataclass(frozen=True)
class NodeFacts:
    """What is known of a machine."""

    name: str
    hostname: str
    addresses: tuple[str, ...] = ()
    architecture: str = "amd64"
    cpus: int = 1
    memory: int = 0  # bytes
    storage: int = 0  # bytes
    max_pods: int = 110
    machine_id: str = ""
    system_uuid: str = ""
    boot_id: str = ""
    kernel: str = ""
    os_image: str = ""
    runtime: str = ""
    agent_target: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class NodeHealth:
    """Why a node is not ready ("" when it is), and which resources are short."""

    not_ready: str = ""
    memory_pressure: bool = False
    disk_pressure: bool = False
    pid_pressure: bool = False


def node_labels(facts: NodeFacts) -> dict[str, str]:
    own = {
        "kubernetes.io/hostname": facts.hostname,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": facts.architecture,
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": facts.architecture,
    }
    return {**own, **facts.labels}


def new_node(facts: NodeFacts) -> Object:
    """The object with which a node registers; not ready is the taint until the first status says otherwise."""
    spec: Object = {}
    if facts.taints:
        spec["taints"] = [dict(taint) for taint in facts.taints]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": facts.name,
            "labels": node_labels(facts),
            "annotations": {
                AGENT_TARGET: facts.agent_target,
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        "spec": spec,
    }


def metadata_patch(facts: NodeFacts, node: Mapping[str, Any]) -> Object | None:
    """What an existing Node lacks of our labels and annotations; None when nothing."""
    meta = node["metadata"]
    labels = {k: v for k, v in node_labels(facts).items() if (meta.get("labels") or {}).get(k) != v}
    have = (meta.get("annotations") or {}).get(AGENT_TARGET)
    annotations = {AGENT_TARGET: facts.agent_target} if have != facts.agent_target else {}
    patch = {key: value for key, value in (("labels", labels), ("annotations", annotations)) if value}
    return {"metadata": patch} if patch else None


def capacity(facts: NodeFacts) -> dict[str, str]:
    return {
        "cpu": str(facts.cpus),
        "memory": f"{facts.memory // 1024}Ki",
        "ephemeral-storage": f"{facts.storage // 1024}Ki",
        "pods": str(facts.max_pods),
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
    }


def allocatable(facts: NodeFacts) -> dict[str, str]:
    """Capacity less what the node keeps: 100 MiB of memory and a tenth of the disk, eviction's hard thresholds."""
    memory = max(0, facts.memory - (100 << 20))
    kept = {"memory": f"{memory // 1024}Ki", "ephemeral-storage": str(facts.storage * 9 // 10)}
    return {**capacity(facts), **kept}


_PRESSURES = (
    ("MemoryPressure", "memory_pressure", "KubeletHasSufficientMemory", "KubeletHasInsufficientMemory",
     "kubelet has sufficient memory available", "kubelet has insufficient memory available"),
    ("DiskPressure", "disk_pressure", "KubeletHasNoDiskPressure", "KubeletHasDiskPressure",
     "kubelet has no disk pressure", "kubelet has disk pressure"),
    ("PIDPressure", "pid_pressure", "KubeletHasSufficientPID", "KubeletHasInsufficientPID",
     "kubelet has sufficient PID available", "kubelet has insufficient PID available"),
)  # fmt: skip


def conditions(health: NodeHealth, old: list[Object], now: datetime) -> list[Object]:
    """The four conditions of a node, with heartbeat and transition times."""
    found = []
    for type_, attribute, good, bad, good_text, bad_text in _PRESSURES:
        short = getattr(health, attribute)
        found.append((type_, "True" if short else "False", bad if short else good, bad_text if short else good_text))
    ready = ("Ready", "True", "KubeletReady", "kubelet is posting ready status")
    found.append(("Ready", "False", "KubeletNotReady", health.not_ready) if health.not_ready else ready)
    return [stamped(old, *each, now) for each in found]


def stamped(old: list[Object], type_: str, status: str, reason: str, message: str, now: datetime) -> Object:
    before = find_condition(old, type_)
    same = before is not None and before.get("status") == status and before.get("lastTransitionTime")
    moment = before["lastTransitionTime"] if before and same else format_time(now)
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": format_time(now),
        "lastTransitionTime": moment,
    }


def node_status(
    facts: NodeFacts, health: NodeHealth, old: list[Object], images: list[Object], port: int, now: datetime
) -> Object:
    """The `status` of a Node."""
    status: Object = {
        "capacity": capacity(facts),
        "allocatable": allocatable(facts),
        "conditions": conditions(health, old, now),
        "addresses": [
            *({"type": "InternalIP", "address": address} for address in facts.addresses),
            {"type": "Hostname", "address": facts.hostname},
        ],
        "nodeInfo": {
            "machineID": facts.machine_id,
            "systemUUID": facts.system_uuid,
            "bootID": facts.boot_id,
            "kernelVersion": facts.kernel,
            "osImage": facts.os_image,
            "containerRuntimeVersion": facts.runtime,
            "kubeletVersion": KUBELET_VERSION,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": facts.architecture,
        },
        "images": images,
        "declaredFeatures": list(DECLARED_FEATURES),
    }
    if port:
        status["daemonEndpoints"] = {"kubeletEndpoint": {"Port": port}}
    return status


def without_heartbeats(status: Mapping[str, Any]) -> Object:
    """A status reduced to what is worth writing at once."""
    kept = [{k: v for k, v in c.items() if k != "lastHeartbeatTime"} for c in status.get("conditions") or []]
    return {**status, "conditions": kept}


def lease(node: Mapping[str, Any], now: datetime) -> Object:
    """The Lease with which a node says that it lives."""
    meta = node["metadata"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": meta["name"], "uid": meta["uid"]}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": meta["name"], "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]},
        "spec": {
            "holderIdentity": meta["name"],
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": format_micro_time(now),
        },
    }
