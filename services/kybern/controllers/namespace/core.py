"""What is left of a namespace that is being deleted, as its conditions say it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from kybern.kube import meta
from kybern.kube.conditions import set_condition
from kybern.kube.meta import Object

FINALIZER = "kubernetes"
LONGEST_WAIT = 30.0
SHORTEST_WAIT = 1.0


@dataclass(frozen=True)
class Remains:
    """What one round of deletion found: instances by collection (`pods.`), finalizers by name, errors."""

    instances: Mapping[str, int]
    finalizers: Mapping[str, int]
    errors: tuple[str, ...] = ()
    discovery_error: str = ""
    grace_seconds: int = 0

    @property
    def nothing(self) -> bool:
        return not self.instances and not self.errors and not self.discovery_error


def count_finalizers(objects: Iterable[Object]) -> dict[str, int]:
    """How many of the objects wait for each finalizer."""
    counts: dict[str, int] = {}
    for obj in objects:
        for finalizer in meta.finalizers(obj):
            counts[finalizer] = counts.get(finalizer, 0) + 1
    return counts


def longest_grace(pods: Iterable[Object]) -> int:
    """The longest grace period of pods that are still there, in seconds."""
    return max((pod.get("spec", {}).get("terminationGracePeriodSeconds") or 0 for pod in pods), default=0)


def compute_conditions(namespace: Object, remains: Remains, now: datetime) -> list[Object]:
    """The five conditions of a namespace that is being deleted; those of other controllers stay."""
    conditions = [dict(c) for c in (namespace.get("status") or {}).get("conditions") or []]

    def say(type_: str, failed: str, fine: tuple[str, str], reason: str) -> None:
        status, why, message = ("True", reason, failed) if failed else ("False", *fine)
        set_condition(conditions, type_, status, now=now, reason=why, message=message)

    say(
        "NamespaceDeletionDiscoveryFailure",
        remains.discovery_error and f"Discovery failed for some groups, 1 failing: {remains.discovery_error}",
        ("ResourcesDiscovered", "All resources successfully discovered"),
        "DiscoveryFailed",
    )
    say(
        "NamespaceDeletionGroupVersionParsingFailure",
        "",
        ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        "GroupVersionParsingFailed",
    )
    errors = ", ".join(sorted(remains.errors))
    say(
        "NamespaceDeletionContentFailure",
        errors and f"Failed to delete all resource types, {len(remains.errors)} remaining: {errors}",
        ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        "ContentDeletionFailed",
    )
    left = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(remains.instances.items()))
    say(
        "NamespaceContentRemaining",
        left and f"Some resources are remaining: {left}",
        ("ContentRemoved", "All content successfully removed"),
        "SomeResourcesRemain",
    )
    held = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(remains.finalizers.items()))
    say(
        "NamespaceFinalizersRemaining",
        held and f"Some content in the namespace has finalizers remaining: {held}",
        ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
        "SomeFinalizersRemain",
    )
    return conditions


def seconds_to_wait(remains: Remains) -> float:
    """When to look again: half the grace period of pods that are left."""
    return min(LONGEST_WAIT, max(SHORTEST_WAIT, remains.grace_seconds / 2))
