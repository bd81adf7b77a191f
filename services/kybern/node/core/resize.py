"""In-place resize: which running containers have other resources than their pod now asks for, and what that takes.

A container keeps what it was made with in an annotation; what it has been given since, its worker remembers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from kybern.kube.meta import Object
from kybern.node.core import labels
from kybern.node.core.resources import PERIOD, CgroupValues, amounts, container_values, memory, milli_cpu, pod_values
from kybern.node.core.runtime_pod import Container, RuntimePod, State
from kybern.protos.runtime.v1 import api_pb2 as cri

Given = Mapping[str, Object]  # id of a container → resources it has been given while it ran


@dataclass(frozen=True)
class Resize:
    """Containers to update with their resources as asked for, and containers to restart for them."""

    update: tuple[tuple[Container, Object], ...] = ()
    restart: tuple[Container, ...] = ()


def resources_of(container: Container, given: Given) -> Object | None:
    """What a running container has; None when nothing is known."""
    if container.id in given:
        return given[container.id]
    text = container.annotations.get(labels.RESOURCES)
    found: Object | None = json.loads(text) if text else None
    return found


def compute_resize(pod: Object, runtime: RuntimePod, given: Given) -> Resize:
    """The difference between what the pod asks for and what its running containers have."""
    update: list[tuple[Container, Object]] = []
    restart: list[Container] = []
    for spec in [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]:
        here = runtime.latest(spec["name"])
        has = resources_of(here, given) if here is not None and here.state is State.RUNNING else None
        if here is None or has is None or has == (spec.get("resources") or {}):
            continue
        if changed(has, spec) & restarting(spec):
            restart.append(here)
        else:
            update.append((here, spec))
    return Resize(tuple(update), tuple(restart))


def changed(has: Object, spec: Object) -> set[str]:
    """`cpu`, `memory`: where the amounts differ, however they are written."""
    old: Object = {"resources": has}
    sides = ("requests", "limits")
    cpu = any(milli_cpu(amounts(old, side)) != milli_cpu(amounts(spec, side)) for side in sides)
    size = any(memory(amounts(old, side)) != memory(amounts(spec, side)) for side in sides)
    return ({"cpu"} if cpu else set()) | ({"memory"} if size else set())


def restarting(spec: Object) -> set[str]:
    """Resources that the container takes only when it starts."""
    rules = spec.get("resizePolicy") or ()
    return {rule["resourceName"] for rule in rules if rule.get("restartPolicy") == "RestartContainer"}


def update_request(spec: Object) -> cri.LinuxContainerResources:
    """What UpdateContainerResources gets."""
    values = container_values(spec)
    return cri.LinuxContainerResources(
        cpu_period=PERIOD,
        cpu_quota=values.cpu_quota,
        cpu_shares=values.cpu_shares,
        memory_limit_in_bytes=values.memory_limit,
    )


def room_for_both(pod: Object, runtime: RuntimePod, given: Given) -> CgroupValues:
    """What the pod's cgroup must allow while its containers change from what they have to what they will have."""
    before = []
    for spec in pod["spec"]["containers"]:
        here = runtime.latest(spec["name"])
        has = resources_of(here, given) if here is not None else None
        before.append(spec if has is None else {**spec, "resources": has})
    old, new = pod_values({**pod, "spec": {**pod["spec"], "containers": before}}), pod_values(pod)
    limits = [(old.cpu_quota, new.cpu_quota), (old.memory_limit, new.memory_limit)]
    quota, size = (0 if 0 in pair else max(pair) for pair in limits)
    return CgroupValues(max(old.cpu_shares, new.cpu_shares), quota, size)
