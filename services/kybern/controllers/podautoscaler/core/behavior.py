"""How fast a recommendation may be followed: stabilization over a window, then limits of change per period."""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kybern.kube.meta import Object

DOWN_STABILIZATION = 300  # seconds
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Change:
    """So many replicas more, or fewer, at a time."""

    at: datetime
    replicas: int


@dataclass
class History:
    """What was recommended for a target, and how it was scaled, of late."""

    recommendations: list[Change] = field(default_factory=list)
    ups: list[Change] = field(default_factory=list)
    downs: list[Change] = field(default_factory=list)

    def scaled(self, before: int, after: int, now: datetime) -> None:
        """Remember a change."""
        (self.ups if after > before else self.downs).append(Change(now, abs(after - before)))

    def forget(self, now: datetime, seconds: int = 3600) -> None:
        """Drop what no window reaches any more."""
        since = now - timedelta(seconds=seconds)
        for changes in (self.recommendations, self.ups, self.downs):
            changes[:] = [change for change in changes if change.at > since]


@dataclass(frozen=True)
class Normalized:
    """What becomes of a recommendation, and the conditions that tell why: (reason, message), limited or not."""

    replicas: int
    able: tuple[str, str]
    limited: bool
    limit: tuple[str, str]


READY = ("ReadyForNewScale", "recommended size matches current size")
UP_STABILIZED = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
DOWN_STABILIZED = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
UP_LIMIT = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
DOWN_LIMIT = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")


def normalize(spec: Object, history: History, current: int, wanted: int, least: int, now: datetime) -> Normalized:
    """The number of replicas to have now; the recommendation goes into the history."""
    most = int(spec["maxReplicas"])
    behavior = spec.get("behavior")
    rules = _rules(behavior, "scaleUp"), _rules(behavior, "scaleDown")
    stable = _stabilized(rules, history, wanted, None if behavior is None else current, now)
    history.recommendations.append(Change(now, wanted))
    able = READY
    if stable != wanted:
        able = UP_STABILIZED if wanted >= current and behavior is not None else DOWN_STABILIZED
    if behavior is None:
        replicas, limit = _by_default(current, stable, least, most)
    else:
        replicas, limit = _by_rules(rules, history, current, stable, (least, most), now)
    return Normalized(replicas, able, replicas != stable, limit)


def _rules(behavior: Object | None, side: str) -> Object:
    """One side's rules with what they leave out."""
    if behavior is None:
        return {"stabilizationWindowSeconds": DOWN_STABILIZATION if side == "scaleDown" else 0}
    found = behavior.get(side) or {}
    policies = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
    if side == "scaleUp":
        policies.append({"type": "Pods", "value": 4, "periodSeconds": 15})
    window = DOWN_STABILIZATION if side == "scaleDown" else 0
    defaults: dict[str, Any] = {"stabilizationWindowSeconds": window, "selectPolicy": "Max", "policies": policies}
    return defaults | {member: value for member, value in found.items() if value not in (None, [])}


def _stabilized(rules: tuple[Object, Object], history: History, wanted: int, current: int | None, now: datetime) -> int:
    """The greatest of recent recommendations. With rules (`current` is given), what is nearest to the present size
    between the least of those within the window for the way up and the greatest within the one for the way down."""

    def recent(rule: Object) -> list[int]:
        since = now - timedelta(seconds=int(rule["stabilizationWindowSeconds"]))
        return [wanted, *(r.replicas for r in history.recommendations if r.at > since)]

    least, greatest = min(recent(rules[0])), max(recent(rules[1]))
    return greatest if current is None else min(max(current, least), greatest)


def _by_default(current: int, wanted: int, least: int, most: int) -> tuple[int, tuple[str, str]]:
    """Without rules: at most twice as many, or four."""
    limit, reason = max(2 * current, 4), UP_LIMIT
    if most <= limit:
        limit, reason = most, TOO_MANY
    if wanted < least:
        return least, TOO_FEW
    return (limit, reason) if wanted > limit else (wanted, WITHIN)


def _by_rules(
    rules: tuple[Object, Object], history: History, current: int, wanted: int, bounds: tuple[int, int], now: datetime
) -> tuple[int, tuple[str, str]]:
    least, most = bounds
    if wanted > current:
        limit, reason = max(current, _up_limit(rules[0], history, current, now)), UP_LIMIT
        if most <= limit:
            limit, reason = most, TOO_MANY
        if wanted > limit:
            return limit, reason
    elif wanted < current:
        limit, reason = min(current, _down_limit(rules[1], history, current, now)), DOWN_LIMIT
        if least >= limit:
            limit, reason = least, TOO_FEW
        if wanted < limit:
            return limit, reason
    return wanted, WITHIN


def _changed(changes: list[Change], period: int, now: datetime) -> int:
    since = now - timedelta(seconds=period)
    return sum(change.replicas for change in changes if change.at > since)


def _at_start(history: History, current: int, period: int, now: datetime) -> int:
    """How many replicas there were when the period began."""
    return current - _changed(history.ups, period, now) + _changed(history.downs, period, now)


def _limits(rules: Object, history: History, current: int, now: datetime, sign: int) -> list[float]:
    """How far each policy lets the number go, up (1) or down (-1)."""
    limits: list[float] = []
    for policy in rules["policies"]:
        start = _at_start(history, current, int(policy["periodSeconds"]), now)
        value = sign * int(policy["value"])
        limits.append(start + value if policy["type"] == "Pods" else start * (1 + value / 100))
    return limits


def _up_limit(rules: Object, history: History, current: int, now: datetime) -> int:
    if rules["selectPolicy"] == "Disabled":
        return current
    chosen = min if rules["selectPolicy"] == "Min" else max
    return math.ceil(chosen(_limits(rules, history, current, now, 1), default=LARGEST))


def _down_limit(rules: Object, history: History, current: int, now: datetime) -> int:
    if rules["selectPolicy"] == "Disabled":
        return current
    chosen = max if rules["selectPolicy"] == "Min" else min
    return int(chosen(_limits(rules, history, current, now, -1), default=0))
