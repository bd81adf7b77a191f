"""The scheduling queue: pods that wait, in three places.

    active ── pop ──► (a cycle) ── no node ──► unschedulable ── event or 5 minutes ──► backoff ── 1 s … 10 s ──► active
                         └── error ──────────────────────────────────────────────────────┘

Active pods leave by priority, then by the time they came. A pod is worth another attempt when something happens that
one of the plugins that turned it down says may help it. Gated pods wait with the unschedulable ones until a change of
the pod itself opens the gates. When nothing is active, backoff is cut short, except after errors.

Times are seconds of a monotonic clock, always given. A cycle never waits for anything, so no event can arrive between
`pop_run` and the verdict; what happens while pods are being bound reaches the queue before a failed bind returns.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from heapq import heappop, heappush
from typing import Any

from kybern.scheduler.core.framework import Event, Hint
from kybern.scheduler.core.pod import Facts, Pod

BACKOFF_FIRST = 1.0
BACKOFF_MOST = 10.0
FLUSH_AFTER = 300.0
RUN = 256
NODE_EVENTS = (Event.NODE_ADD, Event.NODE_ALLOCATABLE, Event.NODE_LABEL, Event.NODE_TAINT)
Gate = Callable[[Pod], str]


class Place(Enum):
    """Where a pod waits."""

    ACTIVE = "active"
    BACKOFF = "backoff"
    UNSCHEDULABLE = "unschedulable"
    GATED = "gated"
    OUT = "out"  # in a cycle, being bound, or gone


@dataclass(slots=True)
class QueuedPod:
    """A pod in the queue."""

    pod: Pod
    added: float  # first seen
    since: float  # in its place
    queued_at: datetime  # entered active or backoff last, by the wall clock
    traceparent: str = ""
    place: Place = Place.OUT
    attempts: int = 0
    failed_by: frozenset[str] = frozenset()  # plugins; empty after an error
    message: str = ""
    error: bool = False
    ticket: int = 0  # of its newest heap entry; older entries are void

    @property
    def backoff(self) -> float:
        """How long it pauses after its attempts so far."""
        return min(BACKOFF_FIRST * 2.0 ** min(self.attempts - 1, 10), BACKOFF_MOST) if self.attempts else 0.0


class Queue:
    """State of the scheduling queue; no clock, no locks."""

    def __init__(self, hints: Mapping[str, Mapping[Event, Hint]], gate: Gate) -> None:
        self._hints, self._gate = hints, gate
        self._pods: dict[str, QueuedPod] = {}
        self._active: list[tuple[int, float, int, str]] = []
        self._backoff: list[tuple[float, int, int, str]] = []
        self._groups: dict[tuple[Facts, frozenset[str]], set[str]] = {}  # of unschedulable pods
        self._tickets = 0

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def __iter__(self) -> Iterator[QueuedPod]:
        return iter(self._pods.values())

    def get(self, uid: str) -> QueuedPod | None:
        return self._pods.get(uid)

    def counts(self) -> dict[Place, int]:
        """How many pods wait where."""
        counts = dict.fromkeys(Place, 0)
        for queued in self._pods.values():
            counts[queued.place] += 1
        return counts

    # What the watch says

    def put(self, pod: Pod, now: float, wall: datetime, traceparent: str = "") -> None:
        """Add a pod, or take over its change; a change that plugins can see is worth a new attempt."""
        queued = self._pods.get(pod.uid)
        if queued is None:
            queued = self._pods[pod.uid] = QueuedPod(pod, now, now, wall, traceparent)
            self._enter(queued, now, wall)
            return
        old, place = queued.pod, queued.place
        if place is not Place.OUT and (pod.facts is not old.facts or pod.gates != old.gates):
            self._leave(queued)
            queued.pod, queued.traceparent = pod, traceparent or queued.traceparent
            self._enter(queued, now, wall)
        else:
            queued.pod = pod

    def remove(self, uid: str) -> QueuedPod | None:
        """Forget a pod that was bound, deleted, or is none of ours any more."""
        queued = self._pods.pop(uid, None)
        if queued is not None:
            self._leave(queued)
        return queued

    def move(self, event: Event, about: Any, now: float, wall: datetime) -> int:
        """Let unschedulable pods try again if the event may help them; how many do."""
        helped = [group for group in self._groups if self._helps(group, event, about)]
        moved = 0
        for group in helped:
            for uid in sorted(self._groups.get(group, ()), key=lambda uid: self._pods[uid].ticket):
                self._retry(self._pods[uid], now, wall)
                moved += 1
        return moved

    def _helps(self, group: tuple[Facts, frozenset[str]], event: Event, about: Any) -> bool:
        facts, plugins = group
        if not plugins:  # there was no node at all
            return event in NODE_EVENTS
        found = (self._hints.get(plugin, {}).get(event) for plugin in plugins)
        return any(hint is not None and hint(facts, about) for hint in found)

    def activate(self, uid: str, now: float, wall: datetime) -> None:
        """Let one waiting pod try again, after its backoff."""
        queued = self._pods.get(uid)
        if queued is not None and queued.place is Place.UNSCHEDULABLE:
            self._retry(queued, now, wall)

    # What the cycle says

    def pop_run(self, now: float, limit: int = RUN) -> list[QueuedPod]:
        """The next pod, and those equal to it that follow directly; empty when nothing is to be done now."""
        self.advance(now)
        first = self._next_active() or self._next_backoff()
        if first is None:
            return []
        run = [first]
        self._begin(first)
        while len(run) < limit and (queued := self._peek_active()) and queued.pod.facts is first.pod.facts:
            heappop(self._active)
            self._begin(queued)
            run.append(queued)
        return run

    def turned_down(self, queued: QueuedPod, plugins: frozenset[str], message: str, now: float) -> None:
        """No node takes the pod: wait for an event."""
        if self._pods.get(queued.pod.uid) is not queued:
            return
        queued.failed_by, queued.message, queued.error = plugins, message, False
        self._place(queued, Place.UNSCHEDULABLE, now)
        self._groups.setdefault((queued.pod.facts, plugins), set()).add(queued.pod.uid)

    def failed(self, queued: QueuedPod, message: str, now: float, wall: datetime) -> None:
        """An error, such as a bind that was refused: try again after backoff."""
        if self._pods.get(queued.pod.uid) is not queued:
            return
        queued.failed_by, queued.message, queued.error = frozenset(), message, True
        self._into_backoff(queued, now, wall)

    # What time says

    def advance(self, now: float) -> None:
        """Backoffs that are over become active."""
        while self._backoff and (self._backoff[0][0] <= now or not self._valid(self._backoff[0])):
            entry = heappop(self._backoff)
            if self._valid(entry):
                self._into_active(self._pods[entry[3]], now)

    def flush(self, now: float, wall: datetime) -> None:
        """Pods that were unschedulable for long try again, whatever happened."""
        stale = [q for q in self._pods.values() if q.place is Place.UNSCHEDULABLE and now - q.since >= FLUSH_AFTER]
        for queued in stale:
            self._retry(queued, now, wall)

    def next_backoff(self) -> float | None:
        """When the next backoff is over."""
        while self._backoff and not self._valid(self._backoff[0]):
            heappop(self._backoff)
        return self._backoff[0][0] if self._backoff else None

    # Places

    def _enter(self, queued: QueuedPod, now: float, wall: datetime) -> None:
        if reason := self._gate(queued.pod):
            queued.message = reason
            self._place(queued, Place.GATED, now)
        else:
            self._retry(queued, now, wall)

    def _retry(self, queued: QueuedPod, now: float, wall: datetime) -> None:
        since = queued.since
        self._leave(queued)
        queued.error = False
        remaining = since + queued.backoff - now if queued.attempts else 0.0
        if remaining > 0:
            self._into_backoff(queued, now, wall, now + remaining)
        else:
            queued.queued_at = wall
            self._into_active(queued, now)

    def _into_active(self, queued: QueuedPod, now: float) -> None:
        self._place(queued, Place.ACTIVE, now)
        heappush(self._active, (-queued.pod.priority, now, queued.ticket, queued.pod.uid))

    def _into_backoff(self, queued: QueuedPod, now: float, wall: datetime, until: float | None = None) -> None:
        queued.queued_at = wall
        self._place(queued, Place.BACKOFF, now)
        until = now + queued.backoff if until is None else until
        heappush(self._backoff, (until, -queued.pod.priority, queued.ticket, queued.pod.uid))

    def _place(self, queued: QueuedPod, place: Place, now: float) -> None:
        self._tickets += 1
        queued.place, queued.since, queued.ticket = place, now, self._tickets

    def _leave(self, queued: QueuedPod) -> None:
        if queued.place is Place.UNSCHEDULABLE:
            group = (queued.pod.facts, queued.failed_by)
            uids = self._groups.get(group, set())
            uids.discard(queued.pod.uid)
            if not uids:
                self._groups.pop(group, None)
        queued.place = Place.OUT
        queued.ticket = 0

    def _begin(self, queued: QueuedPod) -> None:
        queued.place, queued.ticket = Place.OUT, 0
        queued.attempts += 1

    def _valid(self, entry: tuple[Any, ...]) -> bool:
        queued = self._pods.get(entry[3])
        return queued is not None and queued.ticket == entry[2]

    def _peek_active(self) -> QueuedPod | None:
        while self._active and not self._valid(self._active[0]):
            heappop(self._active)
        return self._pods[self._active[0][3]] if self._active else None

    def _next_active(self) -> QueuedPod | None:
        queued = self._peek_active()
        if queued is not None:
            heappop(self._active)
        return queued

    def _next_backoff(self) -> QueuedPod | None:
        """The pod whose backoff ends first, unless it ends an error's."""
        held = []
        found = None
        while self._backoff and found is None:
            entry = heappop(self._backoff)
            if not self._valid(entry):
                continue
            if self._pods[entry[3]].error:
                held.append(entry)
            else:
                found = self._pods[entry[3]]
        for entry in held:
            heappush(self._backoff, entry)
        return found
