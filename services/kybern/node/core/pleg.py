"""PLEG: what happened in the runtime, told from two looks at it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class EventType(StrEnum):
    STARTED = "ContainerStarted"
    DIED = "ContainerDied"
    REMOVED = "ContainerRemoved"
    CHANGED = "ContainerChanged"


@dataclass(frozen=True, slots=True)
class Seen:
    """One container or sandbox in a relist: cheap, without its details."""

    uid: str  # of the pod
    id: str
    state: str  # running, exited, created, unknown; "" is absent
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class PodLifecycleEvent:
    uid: str
    type: EventType
    id: str


_EVENTS = {
    "running": (EventType.STARTED,),
    "exited": (EventType.DIED,),
    "unknown": (EventType.CHANGED,),
    "created": (EventType.CHANGED,),
}


def compute_events(uid: str, id_: str, old: str, new: str) -> tuple[PodLifecycleEvent, ...]:
    """The events between two states of one container; "" is a state, too."""
    if old == new:
        return ()
    if new == "":
        types = (EventType.REMOVED,) if old == "exited" else (EventType.DIED, EventType.REMOVED)
    else:
        types = _EVENTS[new]
    return tuple(PodLifecycleEvent(uid, type_, id_) for type_ in types)


def diff(old: Mapping[str, Seen], new: Mapping[str, Seen]) -> list[PodLifecycleEvent]:
    """Every event between two relists, by id, in the order of the ids."""
    events: list[PodLifecycleEvent] = []
    for id_ in sorted(old.keys() | new.keys()):
        before, after = old.get(id_), new.get(id_)
        known = after or before
        assert known is not None
        events += compute_events(known.uid, id_, before.state if before else "", after.state if after else "")
    return events
