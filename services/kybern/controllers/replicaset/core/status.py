"""What the status of a ReplicaSet says."""

from collections.abc import Sequence
from datetime import datetime

from kybern.controllers.core import pods
from kybern.kube import meta
from kybern.kube.conditions import find_condition
from kybern.kube.meta import Object
from kybern.kube.selectors import Selector

REPLICA_FAILURE = "ReplicaFailure"


def compute_status(
    owner: Object,
    template_labels: Selector,
    active: Sequence[Object],
    terminating: int | None,
    failure: tuple[str, str] | None,
    now: datetime,
) -> Object:
    """The status for these pods. `failure` is (reason, message) of what went wrong this time; `terminating` None leaves
    the number out, for kinds that do not have it."""
    min_ready = owner["spec"].get("minReadySeconds", 0)
    counts = {
        "fullyLabeledReplicas": sum(template_labels.matches(meta.labels(pod)) for pod in active),
        "readyReplicas": sum(pods.is_ready(pod) for pod in active),
        "availableReplicas": sum(pods.is_available(pod, min_ready, now) for pod in active),
    }
    status: Object = {"replicas": len(active), **{name: count for name, count in counts.items() if count}}
    if terminating is not None:
        status["terminatingReplicas"] = terminating
    if meta.generation(owner):
        status["observedGeneration"] = meta.generation(owner)
    conditions = _conditions((owner.get("status") or {}).get("conditions") or [], failure, now)
    if conditions:
        status["conditions"] = conditions
    return status


def _conditions(current: list[Object], failure: tuple[str, str] | None, now: datetime) -> list[Object]:
    known = find_condition(current, REPLICA_FAILURE)
    if failure is not None and known is not None:
        return current
    conditions = [condition for condition in current if condition is not known]
    if failure is not None:
        conditions.append(
            {
                "type": REPLICA_FAILURE,
                "status": "True",
                "lastTransitionTime": meta.format_time(now),
                "reason": failure[0],
                "message": failure[1],
            }
        )
    return conditions
