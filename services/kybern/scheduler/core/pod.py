"""A pod as the scheduler sees it: the facts that decide about nodes, shared by all pods that are equal in them.

Equal facts mean the same answer of every plugin, so that pods of one ReplicaSet are scheduled in runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from kybern.kube import meta
from kybern.scheduler.core.requests import NONZERO, Amounts, host_ports, pod_requests

DEFAULT_SCHEDULER = "default-scheduler"
_CONTAINER = ("image", "ports", "resources", "restartPolicy")
_SPEC = (
    *("affinity", "hostNetwork", "nodeName", "nodeSelector", "overhead", "preemptionPolicy", "priority", "resources"),
    *("tolerations", "topologySpreadConstraints"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What plugins may look at. Compared by identity: `FactsOf` makes equal pods share one."""

    namespace: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]
    requests: Amounts
    nonzero: tuple[int, int]  # cpu and memory as weighed by scores
    ports: tuple[tuple[str, str, int], ...]
    priority: int
    deleting: bool

    @property
    def affinity(self) -> Mapping[str, Any]:
        return self.spec.get("affinity") or {}

    @property
    def to_pods(self) -> bool:
        """Whether the pod has affinity or anti-affinity to other pods."""
        return bool(self.affinity.get("podAffinity") or self.affinity.get("podAntiAffinity"))

    @property
    def tolerations(self) -> list[dict[str, Any]]:
        return self.spec.get("tolerations") or []

    @property
    def images(self) -> list[str]:
        containers = [*(self.spec.get("initContainers") or ()), *(self.spec.get("containers") or ())]
        return [container.get("image") or "" for container in containers]


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod: its identity and its facts."""

    uid: str
    namespace: str
    name: str
    facts: Facts
    node: str = ""  # where it is bound
    nominated: str = ""  # where it waits for victims to leave
    gates: tuple[str, ...] = ()
    scheduler: str = DEFAULT_SCHEDULER
    finished: bool = False
    started: str = ""  # status.startTime
    obj: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def priority(self) -> int:
        return self.facts.priority


class FactsOf:
    """Makes pods out of objects, sharing the facts of equal ones; remembers the `limit` newest."""

    def __init__(self, limit: int = 8192) -> None:
        self._limit = limit
        self._known: dict[bytes, Facts] = {}

    def pod(self, obj: Mapping[str, Any]) -> Pod:
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        return Pod(
            uid=meta.uid(obj) or meta.key(obj),
            namespace=meta.namespace(obj),
            name=meta.name(obj),
            facts=self.facts({**obj, "spec": {**spec, "nodeName": ""}}),  # where it is bound is no fact
            node=spec.get("nodeName") or "",
            nominated=status.get("nominatedNodeName") or "",
            gates=tuple(gate.get("name") or "" for gate in spec.get("schedulingGates") or ()),
            scheduler=spec.get("schedulerName") or DEFAULT_SCHEDULER,
            finished=status.get("phase") in ("Succeeded", "Failed"),
            started=status.get("startTime") or "",
            obj=obj,
        )

    def facts(self, obj: Mapping[str, Any]) -> Facts:
        spec = obj.get("spec") or {}
        kept = {name: value for name in _SPEC if (value := spec.get(name))}
        for kind in ("containers", "initContainers"):
            if containers := spec.get(kind):
                kept[kind] = [{name: c[name] for name in _CONTAINER if name in c} for c in containers]
        labels, deleting = meta.labels(obj), meta.is_deleting(obj)
        key = orjson.dumps((meta.namespace(obj), labels, kept, deleting), option=orjson.OPT_SORT_KEYS)
        facts = self._known.get(key)
        if facts is None:
            facts = _facts(meta.namespace(obj), labels, kept, deleting)
            if len(self._known) >= self._limit:
                del self._known[next(iter(self._known))]
            self._known[key] = facts
        return facts


def _facts(namespace: str, labels: Mapping[str, str], spec: Mapping[str, Any], deleting: bool) -> Facts:
    weighed = pod_requests(spec, NONZERO)
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return Facts(
        namespace=namespace,
        labels=labels,
        spec=spec,
        requests=pod_requests(spec),
        nonzero=(weighed.get("cpu", 0), weighed.get("memory", 0)),
        ports=host_ports([*(spec.get("containers") or ()), *sidecars]),
        priority=int(spec.get("priority") or 0),
        deleting=deleting,
    )
