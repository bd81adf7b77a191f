"""The next step of a StatefulSet.

OrderedReady: pods are made upwards and removed downwards, one at a time, each only when all before it are well; a pod
that is not well itself is removed only when it is the lowest such.
Parallel: all at once. An update replaces pods downwards to the partition, those that are not well at once, of the
others as many as leaves no more than maxUnavailable (one) missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kybern.controllers.core import pods as podlib
from kybern.controllers.statefulset.core.identity import first_ordinal, ordinal_of, replicas, revision_of
from kybern.kube import meta
from kybern.kube.intstr import scaled_value
from kybern.kube.meta import Object


@dataclass(frozen=True)
class SetPlan:
    """Ordinals to create with the name of the revision each gets, pods to delete, the status to write."""

    create: tuple[tuple[int, str], ...] = ()
    delete: tuple[Object, ...] = ()
    status: Object | None = None


def compute_plan(stateful_set: Object, pods: Sequence[Object], current: str, update: str, now: datetime) -> SetPlan:
    """`pods` are the set's own; `current` and `update` are names of revisions."""
    status = compute_status(stateful_set, pods, current, update, now)
    changed = status if status != stateful_set.get("status") else None
    if meta.is_deleting(stateful_set):
        return SetPlan(status=changed)
    first, count = first_ordinal(stateful_set), replicas(stateful_set)
    by_ordinal = {o: pod for pod in pods if (o := ordinal_of(stateful_set, pod)) is not None}
    wanted = range(first, first + count)
    condemned = sorted((o for o in by_ordinal if o not in wanted), reverse=True)
    ordered = stateful_set["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    create: list[tuple[int, str]] = []
    delete: list[Object] = []
    for ordinal in wanted:
        pod = by_ordinal.get(ordinal)
        if pod is None:
            create.append((ordinal, _revision_for(stateful_set, ordinal, current, update)))
        elif podlib.is_terminal(pod) and not meta.is_deleting(pod):
            delete.append(pod)
        if ordered and (pod is None or not _is_well(stateful_set, pod, now)):
            return SetPlan(tuple(create), tuple(delete), changed)
    unwell = [ordinal for ordinal in condemned if not _is_well(stateful_set, by_ordinal[ordinal], now)]
    for ordinal in condemned:
        pod = by_ordinal[ordinal]
        waits = ordered and ordinal in unwell and ordinal != unwell[-1]
        if not meta.is_deleting(pod) and not waits:
            delete.append(pod)
        if ordered:
            return SetPlan(tuple(create), tuple(delete), changed)
    if not create and not delete:
        delete += _outdated(stateful_set, {ordinal: by_ordinal[ordinal] for ordinal in reversed(wanted)}, update, now)
    return SetPlan(tuple(create), tuple(delete), changed)


def _is_well(stateful_set: Object, pod: Object, now: datetime) -> bool:
    min_ready = stateful_set["spec"].get("minReadySeconds", 0)
    return podlib.is_active(pod) and podlib.is_available(pod, min_ready, now)


def partition(stateful_set: Object) -> int | None:
    """The first ordinal that is new in an update (spec's partition counts from the set's own first); None when pods are
    replaced only by being deleted (OnDelete)."""
    strategy: Object = stateful_set["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return None
    return first_ordinal(stateful_set) + int((strategy.get("rollingUpdate") or {}).get("partition", 0))


def _revision_for(stateful_set: Object, ordinal: int, current: str, update: str) -> str:
    """A pod that is made anew during an update is on its side of the partition."""
    line = partition(stateful_set)
    return update if line is None or ordinal >= line else current


def _max_unavailable(stateful_set: Object) -> int:
    """At least one, so that an update moves."""
    strategy: Object = stateful_set["spec"].get("updateStrategy") or {}
    value = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
    return max(1, scaled_value(value, replicas(stateful_set), round_up=False))


def _outdated(stateful_set: Object, by_ordinal: Mapping[int, Object], update: str, now: datetime) -> list[Object]:
    """The pods to replace, of all that are wanted, the last first."""
    line = partition(stateful_set)
    if line is None:
        return []
    unwell = {ordinal for ordinal, pod in by_ordinal.items() if not _is_well(stateful_set, pod, now)}
    old = [
        ordinal
        for ordinal, pod in by_ordinal.items()
        if ordinal >= line and revision_of(pod) != update and not meta.is_deleting(pod)
    ]
    room = max(0, _max_unavailable(stateful_set) - len(unwell))
    chosen = [o for o in old if o in unwell] + [o for o in old if o not in unwell][:room]
    return [by_ordinal[ordinal] for ordinal in chosen]


def compute_status(stateful_set: Object, pods: Sequence[Object], current: str, update: str, now: datetime) -> Object:
    """The counts; when all pods are of the new revision and ready, it becomes the current one."""
    min_ready = stateful_set["spec"].get("minReadySeconds", 0)
    alive = [pod for pod in pods if podlib.phase(pod) in ("Pending", "Running", "Unknown")]
    mine = [pod for pod in alive if not meta.is_deleting(pod)]
    ready = sum(podlib.is_ready(pod) for pod in mine)
    counts = {
        "readyReplicas": ready,
        "currentReplicas": sum(revision_of(pod) == current for pod in mine),
        "updatedReplicas": sum(revision_of(pod) == update for pod in mine),
    }
    status: Object = {"replicas": len(alive), "currentRevision": current, "updateRevision": update}
    done = counts["updatedReplicas"] == len(alive) == ready == stateful_set["spec"].get("replicas", 1)
    if done and partition(stateful_set) is not None and current != update:
        status["currentRevision"] = update
        counts["currentReplicas"] = counts["updatedReplicas"]
    status |= {name: number for name, number in counts.items() if number}
    status["availableReplicas"] = sum(podlib.is_available(pod, min_ready, now) for pod in mine)
    status["observedGeneration"] = meta.generation(stateful_set)
    status["collisionCount"] = (stateful_set.get("status") or {}).get("collisionCount", 0)
    return status
