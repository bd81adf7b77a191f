"""The scheduling cycle: filter, score, select; the chosen node counts the pod at once (assume)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from kybern.scheduler.core.columns import Ints
from kybern.scheduler.core.evaluation import NOWHERE, Evaluation, Profile
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
class Ranking:
    """The best nodes of a decision with their weighted scores, best first; shared by the pods of a run."""

    nodes: tuple[str, ...]
    totals: tuple[int, ...]
    by_plugin: dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Placed:
    """A node was found. Without a ranking there was nothing to choose."""

    node: str
    evaluated: int
    feasible: int
    ranking: Ranking | None = None

    def top(self) -> list[tuple[str, int, dict[str, int]]]:
        """At most 20 nodes with their totals and scores by plugin, the chosen one first."""
        ranking = self.ranking
        if ranking is None:
            return []
        chosen = ranking.nodes.index(self.node)
        places = [chosen, *(place for place in range(len(ranking.nodes)) if place != chosen)][:TOP]
        return [
            (ranking.nodes[p], ranking.totals[p], {name: scores[p] for name, scores in ranking.by_plugin.items()})
            for p in places
        ]


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

    def decide(self, facts: Facts) -> Placed | Unplaced:
        """Find the best node; among equally good ones any, by the given randomness."""
        evaluation = self.evaluation(facts)
        return self.select(evaluation)[0] if evaluation.filter().any() else self.diagnose(evaluation, facts)

    def select(self, evaluation: Evaluation, count: int = 1, nominated: str = "") -> list[Placed]:
        """Nodes for the next of `count` equal pods: one or more, of feasible nodes that there must be.

        A nominated node comes first. Else equally good nodes take one pod each, as far as a pod on one of them
        changes nothing for the others.
        """
        nodes, feasible = self._nodes, int(evaluation.feasible.sum())
        if nominated in nodes.slots and evaluation.feasible[nodes.slots[nominated]]:
            return [Placed(nominated, len(nodes), feasible)]
        if feasible == 1:
            return [Placed(nodes.names[int(evaluation.feasible.argmax())], len(nodes), 1)]
        total = evaluation.score()
        best = np.flatnonzero(total == total.max())
        wanted = min(count, len(best)) if evaluation.independent else 1
        chosen = [int(best[place]) for place in self._random.sample(range(len(best)), wanted)]
        ranking = self._rank(evaluation, total, best, chosen, min(TOP, feasible))
        return [Placed(nodes.names[slot], len(nodes), feasible, ranking) for slot in chosen]

    def _rank(
        self, evaluation: Evaluation, total: Ints, best: NDArray[np.intp], chosen: list[int], count: int
    ) -> Ranking:
        """The chosen nodes, and the best of the others."""
        others = best
        if len(best) < count:
            others = np.argpartition(total, -count)[-count:] if count < len(total) else np.flatnonzero(total > NOWHERE)
            others = others[np.argsort(-total[others], kind="stable")]
        rows = np.array(list(dict.fromkeys([*chosen, *others[:count].tolist()])), np.intp)
        by_plugin = {name: tuple(scores.tolist()) for name, scores in evaluation.by_plugin(rows).items()}
        return Ranking(tuple(self._nodes.names[slot] for slot in rows), tuple(total[rows].tolist()), by_plugin)

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
