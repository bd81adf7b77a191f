"""Status of controllers of pods: counts that are not negative and do not exceed each other."""

from collections.abc import Callable

from kybern.kube.field import invalid
from kybern.kube.validation.fields import Errors, Object, child, non_negative

UpdateRule = Callable[[Object, Object], Errors]

_REPLICAS = "status.replicas"


def _counts(names: tuple[str, ...], of_replicas: tuple[str, ...] = (), ready: str = "readyReplicas") -> UpdateRule:
    """`names` are not negative; each of `of_replicas` is within replicas, and what is available within what is ready.

    `ready` is what the latter is called in messages.
    """

    def check(obj: Object, old: Object) -> Errors:
        status = child(obj, "status")
        for name in names:
            yield from non_negative(status, name, "status")
        total = status.get("replicas") or 0
        for name in of_replicas:
            count = status.get(name) or 0
            if count > total:
                yield invalid(f"status.{name}", count, f"cannot be greater than {_REPLICAS}")
        available = status.get("availableReplicas") or 0
        if of_replicas and available > (status.get("readyReplicas") or 0):
            yield invalid("status.availableReplicas", available, f"cannot be greater than {ready}")

    return check


deployment_status = _counts(
    ("observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas",
     "terminatingReplicas", "collisionCount"),
    ("updatedReplicas", "readyReplicas", "availableReplicas"),
)  # fmt: skip
replica_set_status = _counts(
    ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration",
     "terminatingReplicas"),
    ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"),
)  # fmt: skip
stateful_set_status = _counts(
    ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas", "observedGeneration",
     "collisionCount"),
    ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"),
    "status.readyReplicas",
)  # fmt: skip
daemon_set_status = _counts(
    ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "observedGeneration",
     "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "collisionCount"),
)  # fmt: skip
