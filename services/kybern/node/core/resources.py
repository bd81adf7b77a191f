"""Requests and limits as cgroup values: CPU shares and quota, memory limit, OOM score, and the pod's own cgroup."""

from collections.abc import Mapping
from dataclasses import dataclass

from kybern.kube import quantity
from kybern.kube.meta import Object

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"
PERIOD = 100_000  # microseconds, of CPU quota
MIN_QUOTA = 1_000
MIN_SHARES, MAX_SHARES = 2, 262_144


@dataclass(frozen=True)
class CgroupValues:
    """What a cgroup is told; 0 is "not set"."""

    cpu_shares: int = 0
    cpu_quota: int = 0
    memory_limit: int = 0


def amounts(container: Object, kind: str) -> dict[str, str]:
    """A container's `requests` or `limits`; a missing request is its limit."""
    resources = container.get("resources") or {}
    found: dict[str, str] = resources.get(kind) or {}
    return {**(resources.get("limits") or {}), **found} if kind == "requests" else found


def milli_cpu(values: Mapping[str, str]) -> int:
    return quantity.parse(values["cpu"]).milli_value() if "cpu" in values else 0


def memory(values: Mapping[str, str]) -> int:
    return quantity.parse(values["memory"]).value() if "memory" in values else 0


def cpu_shares(milli: int) -> int:
    """Relative weight: 1024 for a whole CPU, at least 2."""
    return min(MAX_SHARES, max(MIN_SHARES, milli * 1024 // 1000))


def cpu_quota(milli: int) -> int:
    """Microseconds per period, at least 1 ms; 0 without a limit."""
    return max(MIN_QUOTA, milli * PERIOD // 1000) if milli else 0


def container_values(container: Object) -> CgroupValues:
    limits = amounts(container, "limits")
    return CgroupValues(
        cpu_shares(milli_cpu(amounts(container, "requests"))), cpu_quota(milli_cpu(limits)), memory(limits)
    )


def all_containers(pod: Object) -> list[Object]:
    """Init containers first, then the others."""
    return [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]


def startable_containers(pod: Object) -> list[Object]:
    """Those and the ephemeral ones, which count for no resources."""
    return [*all_containers(pod), *(pod["spec"].get("ephemeralContainers") or [])]


def qos_class(pod: Object) -> str:
    """The class the apiserver gave the pod, or the same decided here (upstream's ComputePodQOS)."""
    if known := (pod.get("status") or {}).get("qosClass"):
        return str(known)
    requests: dict[str, list[str]] = {}
    guaranteed = True
    for container in all_containers(pod):
        limits, wanted = amounts(container, "limits"), amounts(container, "requests")
        for name in ("cpu", "memory"):
            if name in wanted:
                requests.setdefault(name, []).append(wanted[name])
            if name not in limits or quantity.parse(limits[name]) != quantity.parse(wanted.get(name, "0")):
                guaranteed = False
    if not requests:
        return BEST_EFFORT
    return GUARANTEED if guaranteed else BURSTABLE


def oom_score(pod: Object, container: Object, memory_capacity: int) -> int:
    """Who dies first when the node runs out of memory: best effort before burstable before guaranteed."""
    qos = qos_class(pod)
    if qos == GUARANTEED or (pod["spec"].get("priority") or 0) >= 2_000_000_000:
        return -997
    if qos == BEST_EFFORT or memory_capacity <= 0:
        return 1000
    score = 1000 - 1000 * memory(amounts(container, "requests")) // memory_capacity
    return max(3, min(999, score))


def pod_cgroup(pod: Object, root: str) -> str:
    """The pod's cgroup below the node's root: burstable and best-effort pods in a folder per class."""
    qos = qos_class(pod)
    folder = "" if qos == GUARANTEED else f"/{qos.lower()}"
    return f"/{root.strip('/')}{folder}/pod{pod['metadata']['uid']}"


def pod_values(pod: Object) -> CgroupValues:
    """Sums over the pod's containers; a limit only when every container has one."""
    containers = pod["spec"]["containers"] + [
        c for c in pod["spec"].get("initContainers") or [] if c.get("restartPolicy") == "Always"
    ]
    values = [container_values(c) for c in containers]
    shares = cpu_shares(sum(milli_cpu(amounts(c, "requests")) for c in containers))
    quota = sum(v.cpu_quota for v in values) if all(v.cpu_quota for v in values) else 0
    limit = sum(v.memory_limit for v in values) if all(v.memory_limit for v in values) else 0
    return CgroupValues(shares, quota, limit)


def resource_field(container: Object, resource: str, divisor: str, allocatable: Mapping[str, str]) -> str:
    """The value of a resourceFieldRef such as limits.cpu: in units of the divisor, rounded up.

    A missing limit is the node's allocatable amount; a missing request is 0.
    """
    kind, _, name = resource.partition(".")
    values = amounts(container, kind)
    default = allocatable.get(name, "0") if kind == "limits" else "0"
    amount = quantity.parse(values.get(name, default))
    unit = quantity.parse(divisor if divisor not in ("", "0") else "1")
    return str(-(-amount.nanos // unit.nanos))
