"""When a pod has to leave a tainted node."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from kybern.controllers.core.taints import NO_EXECUTE, tolerating
from kybern.kube import meta
from kybern.kube.meta import Object


def no_execute_taints(node: Object) -> list[Object]:
    return [taint for taint in (node.get("spec") or {}).get("taints") or () if taint.get("effect") == NO_EXECUTE]


def eviction_time(pod: Object, taints: Iterable[Object], first_seen: datetime) -> datetime | None:
    """The moment from which the pod may not run there; None for never.

    A taint that nothing tolerates counts from now. Of the tolerations that do, the shortest tolerationSeconds counts,
    from when the taint was added (or first seen, if it does not say); without any tolerationSeconds a pod may stay.
    """
    tolerations: list[Object] = (pod.get("spec") or {}).get("tolerations") or []
    times: list[datetime] = []
    for taint in taints:
        used = tolerating(tolerations, taint)
        if not used:
            return first_seen
        seconds = [t["tolerationSeconds"] for t in used if t.get("tolerationSeconds") is not None]
        if seconds:
            added = meta.parse_time(taint.get("timeAdded")) or first_seen
            times.append(added + timedelta(seconds=max(0, min(seconds))))
    return min(times, default=None)
