"""The next step of a StatefulSet.

OrderedReady: pods are made upwards and removed downwards, one at a time, each only when all before it are well; a pod
that is not well itself is removed only when it is the lowest such.
Parallel: all at once. An update replaces pods downwards to the partition, one at a time, when those above are well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kybern.controllers.core import pods as podlib
from kybern.controllers.statefulset.core.identity import first_ordinal, ordinal_of, replicas, revision_of
from kybern.kube import meta
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
    well = True
    for ordinal in wanted:
        pod = by_ordinal.get(ordinal)
        if pod is None:
            create.append((ordinal, _revision_for(stateful_set, ordinal, current, update)))
        elif podlib.is_terminal(pod) and not meta.is_deleting(pod):
            delete.append(pod)
        if pod is None or not _is_well(stateful_set, pod, now):
            well = False
            if ordered:
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
        delete += _outdated(stateful_set, by_ordinal, update, well, now)
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


def _outdated(
    stateful_set: Object, by_ordinal: dict[int, Object], update: str, well: bool, now: datetime
) -> list[Object]:
    line = partition(stateful_set)
    if line is None:
        return []
    for ordinal in sorted(by_ordinal, reverse=True):
        pod = by_ordinal[ordinal]
        if ordinal < line:
            return []
        if revision_of(pod) != update and not meta.is_deleting(pod):
            return [pod]
        if not _is_well(stateful_set, pod, now):
            return []
    return []


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
