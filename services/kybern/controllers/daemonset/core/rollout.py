"""Rolling a DaemonSet to its new template, and its status."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from kybern.controllers.core import pods as podlib
from kybern.controllers.core.history import HASH_LABEL
from kybern.controllers.daemonset.core.placement import should_run
from kybern.kube import meta
from kybern.kube.intstr import scaled_value
from kybern.kube.meta import Object


def strategy(daemon_set: Object) -> Object:
    found: Object = daemon_set["spec"].get("updateStrategy") or {}
    return found


def is_rolling(daemon_set: Object) -> bool:
    return bool(strategy(daemon_set).get("type", "RollingUpdate") == "RollingUpdate")


def max_unavailable(daemon_set: Object, desired: int) -> int:
    """At least one, so that a rollout moves; maxSurge is not made use of."""
    value = (strategy(daemon_set).get("rollingUpdate") or {}).get("maxUnavailable", 1)
    return max(1, scaled_value(value, desired, round_up=True))


def is_new(pod: Object, digest: str) -> bool:
    return meta.labels(pod).get(HASH_LABEL) == digest


def compute_outdated(
    daemon_set: Object,
    nodes: Sequence[Object],
    pods: Mapping[str, Sequence[Object]],
    digest: str,
    now: datetime,
) -> tuple[Object, ...]:
    """The pods to delete so that new ones take their place: those that do not work, then others within the limit."""
    if not is_rolling(daemon_set):
        return ()
    min_ready = daemon_set["spec"].get("minReadySeconds", 0)
    desired = [node for node in nodes if should_run(daemon_set, node)[0]]
    unavailable = 0
    idle: list[Object] = []
    working: list[Object] = []
    for node in desired:
        here = [pod for pod in pods.get(meta.name(node), ()) if podlib.is_active(pod)]
        up = [pod for pod in here if podlib.is_available(pod, min_ready, now)]
        unavailable += not up
        for pod in here:
            if not is_new(pod, digest):
                (working if pod in up else idle).append(pod)
    room = max(0, max_unavailable(daemon_set, len(desired)) - unavailable)
    return (*idle, *working[:room])


def compute_status(
    daemon_set: Object,
    nodes: Sequence[Object],
    pods: Mapping[str, Sequence[Object]],
    digest: str,
    now: datetime,
) -> Object:
    """The counts, by nodes."""
    min_ready = daemon_set["spec"].get("minReadySeconds", 0)
    counts = dict.fromkeys(("desired", "current", "misscheduled", "ready", "available", "updated"), 0)
    for node in nodes:
        here = [pod for pod in pods.get(meta.name(node), ()) if podlib.is_active(pod)]
        start, _ = should_run(daemon_set, node)
        if not start:
            counts["misscheduled"] += bool(here)
            continue
        counts["desired"] += 1
        if here:
            counts["current"] += 1
            pod = min(here, key=lambda pod: meta.metadata(pod).get("creationTimestamp") or "")
            counts["ready"] += podlib.is_ready(pod)
            counts["available"] += podlib.is_available(pod, min_ready, now)
            counts["updated"] += is_new(pod, digest)
    status: Object = {
        "currentNumberScheduled": counts["current"],
        "desiredNumberScheduled": counts["desired"],
        "numberMisscheduled": counts["misscheduled"],
        "numberReady": counts["ready"],
        "observedGeneration": meta.generation(daemon_set),
    }
    optional = {
        "updatedNumberScheduled": counts["updated"],
        "numberAvailable": counts["available"],
        "numberUnavailable": counts["desired"] - counts["available"],
    }
    status |= {name: number for name, number in optional.items() if number}
    was: Object = daemon_set.get("status") or {}
    return {**status, **{name: was[name] for name in ("collisionCount", "conditions") if name in was}}
