"""Preemption: which pods of lower priority would have to leave a node so that a pod fits there.

On each candidate all pods of lower priority are taken away; then as many as possible are put back, the most important
first, those that a disruption budget protects before the others. The node that costs least is chosen: fewest broken
budgets, then the lowest of the highest priorities, the smallest sum of priorities, the fewest victims, and the victims
that started last.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from kybern.kube import meta
from kybern.kube.selectors import NOTHING, Selector, SelectorError, from_label_selector
from kybern.scheduler.core.cache import Cache
from kybern.scheduler.core.cycle import Unplaced, none_available
from kybern.scheduler.core.evaluation import Profile
from kybern.scheduler.core.pod import Facts, Pod

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
LEAST_CANDIDATES, SHARE = 100, 0.1  # how many nodes are tried: a tenth, but not fewer than 100
SUM_SHIFT = 2**31  # makes each priority count as positive, so that fewer victims are a smaller sum


@dataclass(frozen=True, slots=True)
class Budget:
    """A PodDisruptionBudget: how many of its pods may still go."""

    namespace: str
    selector: Selector
    allowed: int

    @staticmethod
    def read(obj: Mapping[str, Any]) -> "Budget":
        try:
            selector = from_label_selector((obj.get("spec") or {}).get("selector"))
        except SelectorError:
            selector = NOTHING
        return Budget(meta.namespace(obj), selector, int((obj.get("status") or {}).get("disruptionsAllowed") or 0))


@dataclass(frozen=True, slots=True)
class Victims:
    """What has to leave a node, the most important first."""

    node: str
    pods: tuple[Pod, ...]
    broken_budgets: int

    @property
    def cost(self) -> tuple[Any, ...]:
        """Smaller is better."""
        highest = max(pod.priority for pod in self.pods)
        started = min(pod.started for pod in self.pods if pod.priority == highest)
        total = sum(pod.priority + SUM_SHIFT for pod in self.pods)
        return self.broken_budgets, highest, total, len(self.pods), _later_first(started)


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing is preempted, and why."""

    message: str
    waits: bool = False  # for victims of an earlier preemption to leave


def decide_preemption(
    pod: Pod, unplaced: Unplaced, cache: Cache, profile: Profile, budgets: Sequence[Budget], random: Random
) -> Victims | Refused:
    """The cheapest node on which to make room, or why there is none. The cache is as before afterwards."""
    if pod.facts.spec.get("preemptionPolicy") == "Never":
        return Refused("preemption: not eligible due to preemptionPolicy=Never.")
    if pod.nominated and any(p.facts.deleting and p.priority < pod.priority for p in cache.pods_on(pod.nominated)):
        return Refused("preemption: not eligible due to a terminating pod on the nominated node.", waits=True)
    found: list[Victims] = []
    wanted = max(LEAST_CANDIDATES, int(unplaced.nodes * SHARE))
    candidates, reasons = worth_trying(pod, unplaced.helpful, cache)
    start = random.randrange(len(candidates)) if candidates else 0
    for node in candidates[start:] + candidates[:start]:
        outcome = select_victims(pod, node, cache, profile, budgets)
        if isinstance(outcome, Victims):
            found.append(outcome)
            if len(found) >= wanted:
                break
        else:
            reasons[outcome] += 1
    if found:
        return min(found, key=lambda victims: victims.cost)
    reasons[NOT_HELPFUL] = unplaced.nodes - len(unplaced.helpful)
    return Refused(f"preemption: {none_available(unplaced.nodes, +reasons)}")


def worth_trying(pod: Pod, helpful: Sequence[str], cache: Cache) -> tuple[list[str], Counter[str]]:
    """The nodes that would be large enough without pods of lower priority, and why the others are not.

    All nodes at once, so that a pod that fits nowhere costs little.
    """
    nodes, slots = cache.nodes, np.array([cache.nodes.slots[node] for node in helpful], np.intp)
    reasons: Counter[str] = Counter()
    if not cache.has_below(pod.priority):
        reasons[NO_VICTIMS] = len(helpful)
        return [], reasons
    victims = nodes.tally(lambda facts: facts.priority < pod.priority)[slots] > 0
    reasons[NO_VICTIMS] = int((~victims).sum())
    enough = victims.copy()
    for resource, wanted in pod.facts.requests.items():
        column = nodes.column(resource)
        freed = nodes.tally(lambda facts: facts.priority < pod.priority, resource)[slots]
        short = victims & (nodes.allocatable[slots, column] - nodes.requested[slots, column] + freed < wanted)
        reasons[f"Insufficient {resource}"] = int(short.sum())
        enough &= ~short
    return [helpful[place] for place in np.flatnonzero(enough).tolist()], reasons


def select_victims(pod: Pod, node: str, cache: Cache, profile: Profile, budgets: Sequence[Budget]) -> Victims | str:
    """The fewest and least important pods that have to leave this node, or why that would not help."""
    lower = [other for other in cache.pods_on(node) if other.priority < pod.priority]
    if not lower:
        return NO_VICTIMS
    nodes = cache.nodes
    gone = {other.uid: other for other in lower}
    for other in lower:
        nodes.remove_pod(other.facts, node)
    try:
        why = why_not(pod.facts, node, cache, profile)
        if why:
            return why
        protected, free = split_by_budget(sorted(lower, key=_importance), budgets)
        broken = 0
        for other in (*protected, *free):
            nodes.add_pod(other.facts, node)
            if why_not(pod.facts, node, cache, profile):
                nodes.remove_pod(other.facts, node)
                broken += other in protected
            else:
                del gone[other.uid]
        return Victims(node, tuple(sorted(gone.values(), key=_importance)), broken)
    finally:
        for other in gone.values():
            nodes.add_pod(other.facts, node)


def why_not(facts: Facts, node: str, cache: Cache, profile: Profile) -> str:
    """Why the node cannot take the pod as things are; "" if it can."""
    row = np.array([cache.nodes.slots[node]])
    for plugin in profile.filters:
        mask = plugin.filter(facts, cache.nodes, row)
        if mask is not None and not mask[0]:
            return next(iter(plugin.reasons(facts, cache.nodes, row)), plugin.name)
    return ""


def split_by_budget(pods: Iterable[Pod], budgets: Sequence[Budget]) -> tuple[list[Pod], list[Pod]]:
    """Pods whose going would break a budget, and the others; each takes from the budgets it is under."""
    left = [budget.allowed for budget in budgets]
    protected: list[Pod] = []
    free: list[Pod] = []
    for pod in pods:
        mine = [
            number
            for number, budget in enumerate(budgets)
            if budget.namespace == pod.namespace
            and not budget.selector.empty
            and budget.selector.matches(pod.facts.labels)
        ]
        breaks = any(left[number] <= 0 for number in mine)
        for number in mine:
            left[number] -= 1
        (protected if breaks else free).append(pod)
    return protected, free


def _importance(pod: Pod) -> tuple[int, str]:
    """Sorts the most important first: by priority, then by who started earlier."""
    return -pod.priority, pod.started or "9"


def _later_first(started: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in started)
