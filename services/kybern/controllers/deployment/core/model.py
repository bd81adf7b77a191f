"""A Deployment with its ReplicaSets: readers of their fields, and the bounds of a rollout."""

from collections.abc import Iterable, Mapping
from typing import Any

from kybern.controllers.core.pods import POD_TEMPLATE_HASH
from kybern.kube import meta
from kybern.kube.intstr import scaled_value
from kybern.kube.meta import Object

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
MAX_INT32 = 2**31 - 1


def spec_replicas(obj: Mapping[str, Any]) -> int:
    """spec.replicas, 1 by default."""
    value = obj["spec"].get("replicas")
    return 1 if value is None else int(value)


def status_count(obj: Mapping[str, Any], field: str) -> int:
    """A number in the status, such as `readyReplicas`; 0 when absent."""
    return int((obj.get("status") or {}).get(field) or 0)


def available(obj: Mapping[str, Any]) -> int:
    return status_count(obj, "availableReplicas")


def is_rolling_update(deployment: Mapping[str, Any]) -> bool:
    return strategy_type(deployment) == "RollingUpdate"


def strategy_type(deployment: Mapping[str, Any]) -> str:
    strategy: Object = deployment["spec"].get("strategy") or {}
    return strategy.get("type") or "RollingUpdate"


def _fenceposts(deployment: Mapping[str, Any]) -> tuple[int, int]:
    """maxSurge rounded up and maxUnavailable rounded down; never both 0, or nothing could move."""
    rolling: Object = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    replicas = spec_replicas(deployment)
    surge = scaled_value(_or(rolling.get("maxSurge"), "25%"), replicas, round_up=True)
    unavailable = scaled_value(_or(rolling.get("maxUnavailable"), "25%"), replicas, round_up=False)
    return (surge, 1) if surge == 0 and unavailable == 0 else (surge, unavailable)


def _or(value: int | str | None, default: str) -> int | str:
    return default if value is None else value


def max_surge(deployment: Mapping[str, Any]) -> int:
    """How many pods beyond spec.replicas a rollout may make."""
    return _fenceposts(deployment)[0] if is_rolling_update(deployment) else 0


def max_unavailable(deployment: Mapping[str, Any]) -> int:
    """How many of spec.replicas may be unavailable during a rollout."""
    replicas = spec_replicas(deployment)
    if not is_rolling_update(deployment) or replicas == 0:
        return 0
    return min(_fenceposts(deployment)[1], replicas)


def progress_deadline(deployment: Mapping[str, Any]) -> int | None:
    """spec.progressDeadlineSeconds; None when progress is not watched."""
    value = deployment["spec"].get("progressDeadlineSeconds")
    return None if value is None or value == MAX_INT32 else int(value)


def revision(obj: Mapping[str, Any]) -> int:
    """The revision annotation; 0 when absent or not a number."""
    try:
        return int(meta.annotations(obj).get(REVISION, "0"))
    except ValueError:
        return 0


def annotated_number(obj: Mapping[str, Any], annotation: str) -> int | None:
    """An annotation with a number; None when absent or not one."""
    try:
        return int(meta.annotations(obj)[annotation])
    except (KeyError, ValueError):
        return None


def by_age(replica_sets: Iterable[Object]) -> list[Object]:
    """Oldest first, then by name."""
    return sorted(replica_sets, key=lambda rs: (meta.metadata(rs).get("creationTimestamp") or "~", meta.name(rs)))


def equal_ignoring_hash(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two pod templates are the same but for the pod-template-hash label."""
    return a.get("spec") == b.get("spec") and _template_metadata(a) == _template_metadata(b)


def _template_metadata(template: Mapping[str, Any]) -> Object:
    given: Object = dict(template.get("metadata") or {})
    given["labels"] = {k: v for k, v in (given.get("labels") or {}).items() if k != POD_TEMPLATE_HASH}
    return {key: value for key, value in given.items() if value}


def find_new(deployment: Object, replica_sets: Iterable[Object]) -> Object | None:
    """The ReplicaSet of the present template; the oldest, should there be several."""
    template = deployment["spec"]["template"]
    same = (rs for rs in by_age(replica_sets) if equal_ignoring_hash(rs["spec"]["template"], template))
    return next(same, None)
