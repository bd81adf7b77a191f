"""What becomes of an object, given what its owners are found to be."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from kybern.controllers.garbage_collector.graph import FOREGROUND, ORPHAN
from kybern.kube import meta
from kybern.kube.meta import Object


class OwnerState(Enum):
    """One owner reference, looked up."""

    SOLID = "solid"  # the owner is there
    DANGLING = "dangling"  # it is not
    WAITING = "waiting"  # it is being deleted in the foreground and waits for its dependents


@dataclass(frozen=True)
class Verdict:
    """Leave it (nothing set), drop some of its references, or delete it."""

    references: tuple[Object, ...] | None = None  # to keep, when some have to go
    delete: str = ""  # the propagation policy
    unblock: bool = False  # first stop blocking owners: a circle of foreground deletions


def decide(obj: Object, owners: Sequence[tuple[Object, OwnerState]], dependents: int, circular: bool) -> Verdict:
    """An object lives as long as one owner does. `circular`: a dependent of it waits for dependents itself."""
    if not owners:
        return Verdict()
    solid = [ref for ref, state in owners if state is OwnerState.SOLID]
    waiting = any(state is OwnerState.WAITING for _, state in owners)
    if solid:
        return Verdict(references=tuple(solid)) if len(solid) < len(owners) else Verdict()
    if waiting and dependents:
        return Verdict(delete="Foreground", unblock=circular)
    return Verdict(delete=_policy(obj))


def _policy(obj: Object) -> str:
    """An object that was already marked keeps its way of deletion."""
    finalizers = meta.finalizers(obj)
    if ORPHAN in finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in finalizers else "Background"


def is_waiting_for_dependents(owner: Object) -> bool:
    return meta.is_deleting(owner) and FOREGROUND in meta.finalizers(owner)
