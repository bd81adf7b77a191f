"""How long a silent client is waited for: between requests, within a request's headers, within its body.

What a connection does is looked at now and then; one that has not moved since longer than its state allows is overdue.
Nothing is counted per request.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

State = Literal["idle", "head", "body", "busy"]


@dataclass(frozen=True)
class Limits:
    """Seconds; 0 is for ever."""

    idle: float = 90.0
    head: float = 32.0
    body: float = 60.0

    def of(self, state: State) -> float:
        """ "busy" is the server's own business."""
        match state:
            case "idle":
                return self.idle
            case "head":
                return self.head
            case "body":
                return self.body
        return 0.0


class Silent(Hashable, Protocol):
    """`position` changes whenever the client has said something that counts in its state."""

    @property
    def position(self) -> tuple[State, int]: ...

    def give_up(self) -> None: ...


C = TypeVar("C", bound=Silent)


class Patience:
    """`overdue` is asked again and again with all connections there are."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._seen: dict[Hashable, tuple[tuple[State, int], float]] = {}

    def overdue(self, connections: Iterable[C], now: float) -> list[C]:
        """Those that have been where they are for too long."""
        seen: dict[Hashable, tuple[tuple[State, int], float]] = {}
        late = []
        for connection in connections:
            position = connection.position
            known = self._seen.get(connection)
            since = known[1] if known is not None and known[0] == position else now
            seen[connection] = (position, since)
            limit = self._limits.of(position[0])
            if limit and now - since >= limit:
                late.append(connection)
        self._seen = seen
        return late
