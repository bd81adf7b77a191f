"""What the status of a Deployment says: counts, and the conditions Available, Progressing and ReplicaFailure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from kybern.controllers.deployment.core.model import (
    available,
    max_unavailable,
    progress_deadline,
    spec_replicas,
    status_count,
)
from kybern.kube import meta
from kybern.kube.conditions import find_condition
from kybern.kube.meta import Object

PROGRESSING, AVAILABLE, REPLICA_FAILURE = "Progressing", "Available", "ReplicaFailure"
NEW_REPLICA_SET_AVAILABLE = "NewReplicaSetAvailable"
DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"


def condition(type_: str, status: str, reason: str, message: str, now: datetime) -> Object:
    time = meta.format_time(now)
    return {
        "type": type_,
        "status": status,
        "lastUpdateTime": time,
        "lastTransitionTime": time,
        "reason": reason,
        "message": message,
    }


def with_condition(conditions: Sequence[Object], new: Object) -> list[Object]:
    """Conditions with a new one; one of the same status and reason stays as it was, whatever its message."""
    current = find_condition([*conditions], new["type"])
    if current is not None and (current["status"], current.get("reason")) == (new["status"], new["reason"]):
        return [*conditions]
    if current is not None and current["status"] == new["status"]:
        new = {**new, "lastTransitionTime": current["lastTransitionTime"]}
    return [*without_condition(conditions, new["type"]), new]


def without_condition(conditions: Sequence[Object], type_: str) -> list[Object]:
    return [c for c in conditions if c["type"] != type_]


def conditions_of(obj: Object) -> list[Object]:
    return (obj.get("status") or {}).get("conditions") or []


def compute_counts(deployment: Object, new: Object | None, replica_sets: Sequence[Object], now: datetime) -> Object:
    """The status of the present state, with the Available condition; other conditions as they were."""
    total = sum(status_count(rs, "replicas") for rs in replica_sets)
    up = sum(available(rs) for rs in replica_sets)
    counts = {
        "replicas": total,
        "updatedReplicas": status_count(new, "replicas") if new is not None else 0,
        "readyReplicas": sum(status_count(rs, "readyReplicas") for rs in replica_sets),
        "availableReplicas": up,
        "unavailableReplicas": max(0, total - up),
    }
    status: Object = {name: count for name, count in counts.items() if count}
    if meta.generation(deployment):
        status["observedGeneration"] = meta.generation(deployment)
    terminating = [rs["status"]["terminatingReplicas"] for rs in replica_sets if "terminatingReplicas" in _status(rs)]
    if len(terminating) == len(replica_sets):
        status["terminatingReplicas"] = sum(terminating)
    if "collisionCount" in _status(deployment):
        status["collisionCount"] = deployment["status"]["collisionCount"]
    if up >= spec_replicas(deployment) - max_unavailable(deployment):
        verdict = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        verdict = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    status["conditions"] = with_condition(conditions_of(deployment), condition(AVAILABLE, *verdict, now))
    return status


def _status(obj: Object) -> Object:
    return obj.get("status") or {}


def _count(status: Object, field: str) -> int:
    return int(status.get(field) or 0)


def is_complete(deployment: Object, status: Object) -> bool:
    """Every replica is of the new version and available, and no other is left."""
    wanted = spec_replicas(deployment)
    counts = (_count(status, name) for name in ("updatedReplicas", "replicas", "availableReplicas"))
    return all(count == wanted for count in counts) and _count(status, "observedGeneration") >= meta.generation(
        deployment
    )


def is_progressing(deployment: Object, status: Object) -> bool:
    """Something moved since the status that is written down: more new, ready or available pods, or fewer old ones."""
    was = _status(deployment)
    old_now = _count(status, "replicas") - _count(status, "updatedReplicas")
    old_then = _count(was, "replicas") - _count(was, "updatedReplicas")
    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old_now < old_then or any(_count(status, name) > _count(was, name) for name in grown)


def has_timed_out(deployment: Object, now: datetime) -> bool:
    """Nothing has moved for longer than the progress deadline."""
    deadline = progress_deadline(deployment)
    current = find_condition(conditions_of(deployment), PROGRESSING)
    if deadline is None or current is None or current.get("reason") == NEW_REPLICA_SET_AVAILABLE:
        return False
    if current.get("reason") == DEADLINE_EXCEEDED:
        return True
    since = meta.parse_time(current.get("lastUpdateTime"))
    return since is not None and since + timedelta(seconds=deadline) < now


def compute_rollout_status(
    deployment: Object, new: Object | None, replica_sets: Sequence[Object], now: datetime
) -> Object:
    """The status of a rollout under way or done, with all conditions."""
    status = compute_counts(deployment, new, replica_sets, now)
    conditions = status["conditions"]
    if progress_deadline(deployment) is None:
        conditions = without_condition(conditions, PROGRESSING)
    else:
        conditions = _progress(deployment, new, status, conditions, now)
    failed = [c for rs in ([new] if new is not None else []) for c in conditions_of(rs) if c["type"] == REPLICA_FAILURE]
    failed = failed or [c for rs in replica_sets for c in conditions_of(rs) if c["type"] == REPLICA_FAILURE]
    if failed:
        first = failed[0]
        failure = condition(REPLICA_FAILURE, first["status"], first.get("reason", ""), first.get("message", ""), now)
        conditions = with_condition(conditions, failure)
    else:
        conditions = without_condition(conditions, REPLICA_FAILURE)
    status["conditions"] = conditions
    return status


def _progress(
    deployment: Object, new: Object | None, status: Object, conditions: list[Object], now: datetime
) -> list[Object]:
    current = find_condition(conditions, PROGRESSING)
    rolled_out = (
        current is not None
        and current.get("reason") == NEW_REPLICA_SET_AVAILABLE
        and _count(status, "replicas") == _count(status, "updatedReplicas")
    )
    if rolled_out:
        return conditions
    what = f'ReplicaSet "{meta.name(new)}"' if new is not None else f'Deployment "{meta.name(deployment)}"'
    if is_complete(deployment, status):
        done = condition(PROGRESSING, "True", NEW_REPLICA_SET_AVAILABLE, f"{what} has successfully progressed.", now)
        return with_condition(conditions, done)
    if is_progressing(deployment, status):
        moving = condition(PROGRESSING, "True", "ReplicaSetUpdated", f"{what} is progressing.", now)
        if current is not None and current["status"] == "True":  # only the time of the last step moves on
            moving["lastTransitionTime"] = current["lastTransitionTime"]
        return [*without_condition(conditions, PROGRESSING), moving]
    if has_timed_out(deployment, now):
        late = condition(PROGRESSING, "False", DEADLINE_EXCEEDED, f"{what} has timed out progressing.", now)
        return with_condition(conditions, late)
    return conditions


def pause_condition(deployment: Object, now: datetime) -> Object | None:
    """The Progressing condition for a Deployment that has just been paused or resumed; None for all others."""
    if progress_deadline(deployment) is None:
        return None
    current = find_condition(conditions_of(deployment), PROGRESSING)
    reason = current.get("reason") if current is not None else None
    if reason == DEADLINE_EXCEEDED:
        return None
    paused = bool(deployment["spec"].get("paused"))
    if paused and reason != PAUSED:
        return condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused", now)
    if not paused and reason == PAUSED:
        return condition(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed", now)
    return None


def seconds_to_deadline(deployment: Object, status: Object, now: datetime) -> float | None:
    """When to look whether a rollout is stuck; None when it is done, already late, or not watched."""
    deadline = progress_deadline(deployment)
    current = find_condition(status.get("conditions") or [], PROGRESSING)
    if deadline is None or current is None or is_complete(deployment, status):
        return None
    if current.get("reason") in (DEADLINE_EXCEEDED, NEW_REPLICA_SET_AVAILABLE, PAUSED):
        return None
    since = meta.parse_time(current.get("lastUpdateTime"))
    return None if since is None else max(1.0, (since + timedelta(seconds=deadline + 1) - now).total_seconds())
