"""Failed daemon pods: each node's are replaced at once, then after pauses that double, 1 s to 15 min.

A node whose agent refuses a pod would otherwise be offered one after the other.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from kybern.controllers.daemonset.core.placement import Changes, target_node
from kybern.kube import meta

FIRST, LONGEST = timedelta(seconds=1), timedelta(minutes=15)


@dataclass(frozen=True)
class _Pause:
    """How long to wait after a replacement, and when that was; a new generation of the template starts anew."""

    generation: int
    length: timedelta
    since: datetime


@dataclass
class FailedPods:
    """Pauses by the DaemonSet's key and node; one that has been over for long is forgotten."""

    _pauses: dict[str, dict[str, _Pause]] = field(default_factory=dict)

    def hold_back(self, key: str, generation: int, changes: Changes, now: datetime) -> tuple[Changes, float | None]:
        """The changes without failed pods whose node still has a pause, and the seconds until the first of them ends.

        The other failed pods are taken to be deleted now.
        """
        pauses = self._pauses.setdefault(key, {})
        waits: dict[str, float] = {}
        for pod in changes.failed:
            node = target_node(pod)
            pause = pauses.get(node)
            if pause is None or pause.generation != generation or now - pause.since > 2 * LONGEST:
                pauses[node] = _Pause(generation, FIRST, now)
            elif now < pause.since + pause.length:
                waits[meta.uid(pod)] = (pause.since + pause.length - now).total_seconds()
            else:
                pauses[node] = _Pause(generation, min(2 * pause.length, LONGEST), now)
        deleted = tuple(pod for pod in changes.delete if meta.uid(pod) not in waits)
        told = tuple(pod for pod in changes.failed if meta.uid(pod) not in waits)
        return replace(changes, delete=deleted, failed=told), min(waits.values(), default=None)

    def forget(self, key: str) -> None:
        """The DaemonSet is gone."""
        self._pauses.pop(key, None)
