"""How large each ReplicaSet of a Deployment should be: rolling, recreating, and scaling in proportion."""

from collections.abc import Sequence

from kybern.controllers.deployment.core.model import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    annotated_number,
    available,
    by_age,
    is_rolling_update,
    max_surge,
    max_unavailable,
    spec_replicas,
    status_count,
)
from kybern.controllers.deployment.core.replica_sets import new_replicas
from kybern.kube import meta
from kybern.kube.meta import Object

Sizes = dict[str, int]  # by the ReplicaSet's name; what is not named stays as it is


def active(replica_sets: Sequence[Object]) -> list[Object]:
    return [rs for rs in replica_sets if spec_replicas(rs) > 0]


def is_scaling(deployment: Object, replica_sets: Sequence[Object]) -> bool:
    """spec.replicas has changed since the ReplicaSets were last sized."""
    wanted = spec_replicas(deployment)
    sized = (annotated_number(rs, DESIRED_REPLICAS) for rs in active(replica_sets))
    return any(size is not None and size != wanted for size in sized)


# rolling update


def roll_new(deployment: Object, new: Object, replica_sets: Sequence[Object]) -> Sizes:
    """Towards spec.replicas for the new ReplicaSet, as far as maxSurge allows."""
    wanted, current = spec_replicas(deployment), spec_replicas(new)
    size = wanted if current > wanted else new_replicas(deployment, replica_sets, current)
    return {meta.name(new): size} if size != current else {}


def roll_old(deployment: Object, new: Object | None, old: Sequence[Object]) -> Sizes:
    """Down with the old ReplicaSets, as far as maxUnavailable allows; pods that do not work go first.

    Unavailable pods of the new ReplicaSet count against what may be taken away, so that a rollout that does not come up
    stops here.
    """
    everything = [*old, new] if new is not None else [*old]
    if sum(spec_replicas(rs) for rs in old) == 0:
        return {}
    least = spec_replicas(deployment) - max_unavailable(deployment)
    missing = spec_replicas(new) - available(new) if new is not None else 0
    most = sum(spec_replicas(rs) for rs in everything) - least - missing
    if most <= 0:
        return {}
    sizes = _remove_unhealthy(old, most)
    spare = sum(available(rs) for rs in everything) - least
    for rs in by_age(old):
        size = sizes.get(meta.name(rs), spec_replicas(rs))
        if spare <= 0:
            break
        taken = min(size, spare)
        if taken:
            sizes[meta.name(rs)] = size - taken
            spare -= taken
    return sizes


def _remove_unhealthy(old: Sequence[Object], most: int) -> Sizes:
    sizes: Sizes = {}
    for rs in by_age(old):
        size = spec_replicas(rs)
        taken = min(most, size - available(rs))
        if size and taken > 0:
            sizes[meta.name(rs)] = size - taken
            most -= taken
    return sizes


# scaling


def scale(deployment: Object, new: Object | None, old: Sequence[Object]) -> Sizes:
    """Sizes after spec.replicas changed, or while paused.

    One active ReplicaSet takes all; when the new one is complete the old ones are emptied; in the middle of a rolling
    update the difference is spread over all of them in proportion to their sizes, so that risk stays spread.
    """
    wanted = spec_replicas(deployment)
    everything = [*old, new] if new is not None else [*old]
    only = _active_or_latest(new, old)
    if only is not None:
        return {meta.name(only): wanted}
    if new is not None and _is_saturated(deployment, new):
        return {meta.name(rs): 0 for rs in active(old)}
    if is_rolling_update(deployment):
        return _in_proportion(deployment, active(everything))
    return {}


def _active_or_latest(new: Object | None, old: Sequence[Object]) -> Object | None:
    """The one ReplicaSet that has pods, or the one to get them; None when several have."""
    running = active([*old, new] if new is not None else old)
    if len(running) > 1:
        return None
    if running:
        return running[0]
    return new if new is not None else (by_age(old)[-1] if old else None)


def _is_saturated(deployment: Object, new: Object) -> bool:
    wanted = spec_replicas(deployment)
    return (
        spec_replicas(new) == wanted
        and annotated_number(new, DESIRED_REPLICAS) == wanted
        and status_count(new, "availableReplicas") == wanted
    )


def _in_proportion(deployment: Object, replica_sets: list[Object]) -> Sizes:
    wanted = spec_replicas(deployment)
    allowed = wanted + max_surge(deployment) if wanted > 0 else 0
    to_add = allowed - sum(spec_replicas(rs) for rs in replica_sets)
    if not replica_sets:
        return {}
    # Growing, the newest of the largest takes the rounding; shrinking, the oldest of them.
    ordered = by_age(replica_sets)
    if to_add > 0:
        ordered.reverse()
    ordered.sort(key=lambda rs: -spec_replicas(rs))
    sizes: Sizes = {}
    added = 0
    for rs in ordered:
        share = _share(deployment, rs, to_add - added) if to_add else 0
        sizes[meta.name(rs)] = spec_replicas(rs) + share
        added += share
    largest = meta.name(ordered[0])
    sizes[largest] = max(0, sizes[largest] + to_add - added)
    return sizes


def _share(deployment: Object, rs: Object, left: int) -> int:
    """What one ReplicaSet gets (or, negative, loses), of what is left to give."""
    size = spec_replicas(rs)
    if size == 0 or left == 0:
        return 0
    fraction = _fraction(deployment, rs)
    return min(fraction, left) if left > 0 else max(fraction, left)


def _fraction(deployment: Object, rs: Object) -> int:
    wanted, size = spec_replicas(deployment), spec_replicas(rs)
    if wanted == 0:
        return -size
    before = annotated_number(rs, MAX_REPLICAS) or status_count(deployment, "replicas")
    if before <= 0:
        return 0
    return _round(size * (wanted + max_surge(deployment)) / before) - size


def _round(value: float) -> int:
    return int(value + 0.5)
