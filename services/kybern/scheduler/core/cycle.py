"""The scheduling cycle: filter, score, select; the chosen node counts the pod at once (assume)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import numpy as np
from numpy.typing import NDArray

from kybern.scheduler.core.columns import Ints
from kybern.scheduler.core.evaluation import Evaluation, Profile
from kybern.scheduler.core.framework import Curable
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot

TOP = 20
KEPT = 32


@dataclass(frozen=True, slots=True)
class Rejection:
    """How many nodes one plugin turned down for one reason."""

    plugin: str
    reason: str
    nodes: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A node was found. `top` are the best nodes with their scores by plugin, best first."""

    node: str
    evaluated: int
    feasible: int
    top: tuple[tuple[str, int], ...] = ()
    by_plugin: dict[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unplaced:
    """No node can take the pod. `helpful` are nodes from which removing pods may help."""

    nodes: int
    rejections: tuple[Rejection, ...]
    helpful: tuple[str, ...] = ()

    @property
    def plugins(self) -> frozenset[str]:
        return frozenset(rejection.plugin for rejection in self.rejections)

    @property
    def message(self) -> str:
        """Upstream's sentence, without what preemption has to say."""
        if not self.nodes:
            return "no nodes available to schedule pods"
        counts: Counter[str] = Counter()
        for rejection in self.rejections:
            counts[rejection.reason] += rejection.nodes
        return none_available(self.nodes, counts)


def none_available(nodes: int, reasons: Mapping[str, int]) -> str:
    """How many nodes cannot take a pod, and for which reasons."""
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return f"0/{nodes} nodes are available: {listed}."


class Cycle:
    """Decides for one pod after the other over one snapshot; keeps the evaluations of the newest kinds of pods."""

    def __init__(self, profile: Profile, nodes: Snapshot, random: Random) -> None:
        self._profile, self._nodes, self._random = profile, nodes, random
        self._known: dict[Facts, Evaluation] = {}

    def evaluation(self, facts: Facts) -> Evaluation:
        """The evaluation of such pods, made or fetched."""
        found = self._known.pop(facts, None)
        if found is None:
            found = Evaluation(self._profile, facts, self._nodes)
            if len(self._known) >= KEPT:
                del self._known[next(iter(self._known))]
        self._known[facts] = found
        return found

    def decide(self, facts: Facts, nominated: str = "") -> Placed | Unplaced:
        """Find the best node; among equally good ones any, by the given randomness."""
        evaluation = self.evaluation(facts)
        if not evaluation.filter().any():
            return self.diagnose(evaluation, facts)
        return self.select(evaluation, nominated)

    def select(self, evaluation: Evaluation, nominated: str = "") -> Placed:
        """The nominated node, else the best of the feasible nodes, of which there must be one."""
        nodes, feasible = self._nodes, int(evaluation.feasible.sum())
        if nominated in nodes.slots and evaluation.feasible[nodes.slots[nominated]]:
            return Placed(nominated, len(nodes), feasible)
        if feasible == 1:
            return Placed(nodes.names[int(evaluation.feasible.argmax())], len(nodes), 1)
        total = evaluation.score()
        best = np.flatnonzero(total == total.max())
        chosen = int(best[0]) if len(best) == 1 else int(best[self._random.randrange(len(best))])
        top = _top(total, best, chosen, min(TOP, feasible))
        return Placed(
            node=nodes.names[chosen],
            evaluated=len(nodes),
            feasible=feasible,
            top=tuple(zip([nodes.names[slot] for slot in top], total[top].tolist(), strict=True)),
            by_plugin={name: tuple(scores.tolist()) for name, scores in evaluation.by_plugin(top).items()},
        )

    def diagnose(self, evaluation: Evaluation, facts: Facts) -> Unplaced:
        """Why no node can take the pod."""
        rejections: list[Rejection] = []
        helpful: list[str] = []
        for plugin, rows in evaluation.rejected_by():
            for reason, count in plugin.reasons(facts, self._nodes, rows).items():
                rejections.append(Rejection(plugin.name, reason, count))
            if isinstance(plugin, Curable):
                helpful += [self._nodes.names[slot] for slot in plugin.curable(facts, self._nodes, rows)]
        return Unplaced(len(self._nodes), tuple(rejections), tuple(helpful))

    def assume(self, facts: Facts, node: str) -> None:
        """Count the pod on the node before it is bound."""
        self._nodes.add_pod(facts, node)

    def forget(self, facts: Facts, node: str) -> None:
        """Take back `assume`."""
        self._nodes.remove_pod(facts, node)


def _top(total: Ints, best: NDArray[np.intp], chosen: int, count: int) -> NDArray[np.intp]:
    """`count` slots with the highest totals, the chosen one first; `best` are those that share the highest."""
    ordered = best
    if len(best) < count:
        ordered = np.argpartition(total, -count)[-count:] if count < len(total) else np.arange(len(total))
        ordered = ordered[np.argsort(-total[ordered], kind="stable")]
    return np.array([chosen, *[slot for slot in ordered[:count].tolist() if slot != chosen]][:count], np.intp)
