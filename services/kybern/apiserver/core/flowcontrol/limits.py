"""Seats: how the server's concurrency is divided among priority levels, and how levels lend to each other.

    Nominal = ceil(Server · shares / all shares)    Lendable = round(Nominal · lendablePercent / 100)
    Min = Nominal − Lendable                        Max = Nominal + Borrowing, or the whole server's

Every ten seconds the current limits are adjusted: each level gets the same fraction of what it recently wanted, but
never less than what it may take back and never more than its maximum.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
DEFAULT_SHARES = 30
PERIOD = 10.0  # seconds between adjustments
MEMORY = 0.977  # how much of the smoothed demand stays each period, as upstream
STEPS = 60  # of the search for the fair fraction


@dataclass(frozen=True)
class Queuing:
    """How a level's requests wait."""

    queues: int
    hand: int
    length: int


@dataclass(frozen=True)
class Level:
    """What a PriorityLevelConfiguration says. `queuing` None: what finds no seat is rejected."""

    name: str
    uid: str
    exempt: bool
    shares: int
    lendable: int  # percent
    borrowing: int | None  # percent; None is without limit
    queuing: Queuing | None


def level(obj: Object) -> Level:
    """A PriorityLevelConfiguration read."""
    name, uid, spec = obj["metadata"]["name"], obj["metadata"].get("uid") or "", obj.get("spec") or {}
    if spec.get("type") == "Exempt":
        part = spec.get("exempt") or {}
        shares, lendable = part.get("nominalConcurrencyShares") or 0, part.get("lendablePercent") or 0
        return Level(name, uid, True, shares, lendable, None, None)
    part = spec.get("limited") or {}
    response, queuing = part.get("limitResponse") or {}, None
    if response.get("type") == "Queue":
        wanted = response.get("queuing") or {}
        queues, hand = wanted.get("queues") or 64, wanted.get("handSize") or 8
        queuing = Queuing(queues, min(hand, queues), wanted.get("queueLengthLimit") or 50)
    shares = part.get("nominalConcurrencyShares")
    return Level(
        name,
        uid,
        False,
        DEFAULT_SHARES if shares is None else shares,
        part.get("lendablePercent") or 0,
        part.get("borrowingLimitPercent"),
        queuing,
    )


@dataclass(frozen=True)
class Limits:
    """Seats of one level."""

    nominal: int
    minimum: int
    maximum: int


def nominal_limits(server: int, levels: Sequence[Level]) -> dict[str, Limits]:
    """The limits that follow from configuration alone."""
    total = sum(one.shares for one in levels)
    found = {}
    for one in levels:
        nominal = math.ceil(server * one.shares / total) if total else 0
        lendable = round(nominal * one.lendable / 100)
        maximum = server if one.borrowing is None else nominal + round(nominal * one.borrowing / 100)
        found[one.name] = Limits(nominal, nominal - lendable, max(maximum, nominal) if nominal else 0)
    return found


@dataclass(frozen=True)
class Demand:
    """Seats wanted in one period: the most, the smoothed envelope, the mean and the standard deviation."""

    high: float = 0.0
    smooth: float = 0.0
    mean: float = 0.0
    deviation: float = 0.0


def smoothed(before: float, samples: Sequence[float], high: float) -> Demand:
    """Demand that rises at once with the envelope (mean and standard deviation) and falls slowly."""
    if not samples:
        return Demand(high, MEMORY * before)
    mean = sum(samples) / len(samples)
    deviation = math.sqrt(sum((sample - mean) ** 2 for sample in samples) / len(samples))
    envelope = mean + deviation
    return Demand(high, max(envelope, MEMORY * before + (1 - MEMORY) * envelope), mean, deviation)


@dataclass(frozen=True)
class Allocation:
    """What each level may use until the next adjustment, what it aims at, and the fraction of that which all get."""

    seats: dict[str, int]
    targets: dict[str, float]
    fraction: float


def current_limits(
    server: int, levels: Sequence[Level], limits: Mapping[str, Limits], demands: Mapping[str, Demand]
) -> Allocation:
    """What each level may use until the next adjustment. Exempt levels take what they want before the others."""
    current: dict[str, int] = {}
    left = float(server)
    limited = []
    for one in levels:
        if one.exempt:
            wanted = demands.get(one.name, Demand())
            current[one.name] = round(max(limits[one.name].minimum, wanted.high))
            left -= current[one.name]
        else:
            limited.append(one)
    floors, targets, aims = {}, {}, {name: float(seats) for name, seats in current.items()}
    for one in limited:
        bounds, demand = limits[one.name], demands.get(one.name, Demand())
        floors[one.name] = float(max(bounds.minimum, min(bounds.nominal, demand.high)))
        targets[one.name] = max(floors[one.name], demand.smooth)

    def given(fraction: float) -> dict[str, float]:
        return {name: max(floor, min(fraction * targets[name], limits[name].maximum)) for name, floor in floors.items()}

    low, high = 0.0, float(server) + 1.0
    if sum(given(high).values()) > left:
        for _ in range(STEPS):
            middle = (low + high) / 2
            if sum(given(middle).values()) > left:
                high = middle
            else:
                low = middle
        high = low
    current.update({name: round(seats) for name, seats in given(high).items()})
    return Allocation(current, aims | targets, high)
