"""What a pod says of its resizing: PodResizePending without room for it, PodResizeInProgress while it is done. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from kybern.kube.meta import Object, format_time
from kybern.node.core.resize import Given, changed, resources_of
from kybern.node.core.runtime_pod import RuntimePod, State

PENDING, IN_PROGRESS = "PodResizePending", "PodResizeInProgress"
TYPES = (PENDING, IN_PROGRESS)
DEFERRED, ERROR = "Deferred", "Error"


@dataclass(frozen=True)
class Condition:
    """One of the two; it is there, with status True, or it is not."""

    type: str
    generation: int
    since: datetime
    reason: str = ""
    message: str = ""

    def again(self, reason: str, message: str, generation: int, now: datetime) -> "Condition":
        """The same said anew: its time moves only with its reason."""
        since = self.since if reason == self.reason else now
        return replace(self, reason=reason, message=message, generation=generation, since=since)

    def shown(self) -> Object:
        """As the pod's status has it."""
        found: Object = {"type": self.type, "status": "True", "lastProbeTime": None}
        found["lastTransitionTime"] = format_time(self.since)
        found |= {name: value for name, value in (("reason", self.reason), ("message", self.message)) if value}
        return found | ({"observedGeneration": self.generation} if self.generation else {})


def resizable(pod: Object) -> list[Object]:
    """The containers whose resources may change while they run."""
    return [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]


def allocation(pod: Object, runtime: RuntimePod, given: Given) -> dict[str, Object]:
    """What the pod's containers have been promised, by name: what those that run have, what others are to have."""
    found = {}
    for spec in resizable(pod):
        here = runtime.latest(spec["name"])
        has = resources_of(here, given) if here is not None and here.state is State.RUNNING else None
        found[spec["name"]] = has if has is not None else spec.get("resources") or {}
    return found


def held(pod: Object, allocated: Mapping[str, Object]) -> dict[str, Object]:
    """What containers have been promised, where they ask for something else."""
    named = {spec["name"]: spec for spec in resizable(pod)}
    return {name: has for name, has in allocated.items() if name in named and changed(has, named[name])}


def with_resources(pod: Object, allocated: Mapping[str, Object]) -> Object:
    """The pod with these resources of its containers instead of those it asks for."""
    if not allocated:
        return pod
    spec = dict(pod["spec"])
    for kind in ("initContainers", "containers"):
        if spec.get(kind):
            spec[kind] = [
                {**one, "resources": allocated[one["name"]]} if one["name"] in allocated else one for one in spec[kind]
            ]
    return {**pod, "spec": spec}


def told(prefix: str, pod: Object, error: str = "") -> str:
    """The message of an event: what the pod asks for, and what stands in the way."""

    def summary(containers: Iterable[Object]) -> list[Object]:
        return [{"name": one["name"], "resources": _ordered(one.get("resources") or {})} for one in containers]

    spec = pod["spec"]
    found: Object = {}
    if inits := spec.get("initContainers"):
        found["initContainers"] = summary(inits)
    found["containers"] = summary(spec["containers"])
    found["generation"] = pod["metadata"].get("generation") or 0
    if error:
        found["error"] = error
    return f"{prefix}: {orjson.dumps(found).decode()}"


def _ordered(resources: Object) -> Object:
    """As Go writes it: limits first, amounts by name."""
    return {side: dict(sorted(resources[side].items())) for side in ("limits", "requests") if resources.get(side)}
