"""Rolling a DaemonSet to its new template, and its status."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from kybern.controllers.core import pods as podlib
from kybern.controllers.daemonset.core.placement import Changes, is_new, max_surge, should_run, strategy
from kybern.kube import meta
from kybern.kube.intstr import scaled_value
from kybern.kube.meta import Object


def is_rolling(daemon_set: Object) -> bool:
    return bool(strategy(daemon_set).get("type", "RollingUpdate") == "RollingUpdate")


def max_unavailable(daemon_set: Object, desired: int) -> int:
    """At least one, so that a rollout moves."""
    value = (strategy(daemon_set).get("rollingUpdate") or {}).get("maxUnavailable", 1)
    return max(1, scaled_value(value, desired, round_up=True))


def compute_rollout(
    daemon_set: Object,
    nodes: Sequence[Object],
    pods: Mapping[str, Sequence[Object]],
    digest: str,
    now: datetime,
) -> Changes:
    """What brings the new template to more nodes: old pods make room for new ones, or new ones come beside them."""
    if not is_rolling(daemon_set):
        return Changes()
    most = max_surge(daemon_set, sum(should_run(daemon_set, node)[0] for node in nodes))
    if most:
        return compute_surge(daemon_set, nodes, pods, digest, now, most)
    return Changes(delete=compute_outdated(daemon_set, nodes, pods, digest, now))


def compute_surge(
    daemon_set: Object,
    nodes: Sequence[Object],
    pods: Mapping[str, Sequence[Object]],
    digest: str,
    now: datetime,
    most: int,
) -> Changes:
    """New pods beside old ones: wherever the old one does not work, and on so many nodes more that there are `most`."""
    min_ready = daemon_set["spec"].get("minReadySeconds", 0)
    waiting, at_once, later = 0, [], []
    for node in nodes:
        here = pods.get(meta.name(node), ())
        active = [pod for pod in here if podlib.is_active(pod)]
        if not should_run(daemon_set, node)[0] or not active:
            continue
        if any(is_new(pod, digest) for pod in active):
            waiting += len(active) > 1
        elif any(podlib.is_available(pod, min_ready, now) for pod in active):
            later.append(meta.name(node))
        else:
            at_once.append(meta.name(node))
    return Changes(create=(*at_once, *later[: max(0, most - waiting)]))


def compute_outdated(
    daemon_set: Object,
    nodes: Sequence[Object],
    pods: Mapping[str, Sequence[Object]],
    digest: str,
    now: datetime,
) -> tuple[Object, ...]:
    """The pods to delete so that new ones take their place: those that do not work, then others within the limit."""
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
