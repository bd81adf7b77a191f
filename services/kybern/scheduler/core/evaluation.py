"""One kind of pod against all nodes: masks and scores, kept current row by row while pods are placed.

An evaluation remembers how far it has read the snapshot's log. Catching up asks plugins again only for rows that
changed, so that the next equal pod costs a few array operations, whatever the number of plugins.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kybern.scheduler.core.columns import ALL, Ints, Mask, Rows, Slots
from kybern.scheduler.core.framework import FilterPlugin, Scope, ScorePlugin
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot

NOWHERE = np.iinfo(np.int64).min
WIDE = (Scope.NODES, Scope.CLUSTER)


@dataclass(frozen=True)
class Profile:
    """The plugins of a scheduler, in order, and the weights of their scores."""

    filters: Sequence[FilterPlugin]
    scores: Sequence[tuple[ScorePlugin, int]]


class Evaluation:
    """Where pods with these facts can go (`feasible`), and how much each node is liked (`total`)."""

    def __init__(self, profile: Profile, facts: Facts, nodes: Snapshot) -> None:
        self.facts = facts
        self._profile, self._nodes = profile, nodes
        self._epoch = -1
        self._read = 0
        self._masks: dict[str, Mask] = {}
        self._raw: dict[str, Ints] = {}
        self._normalized: dict[str, Ints] = {}
        self._scored = False
        self._steady = False
        self.feasible: Mask = np.zeros(0, np.bool_)
        self.total: Ints = np.zeros(0, np.int64)

    def filter(self) -> Mask:
        """Which nodes can take such a pod now."""
        nodes = self._nodes
        if self._epoch != nodes.epoch:
            self._start()
        elif self._read < len(nodes.changes):
            self._catch_up()
        return self.feasible

    def score(self) -> Ints:
        """The weighted sum of all scores; NOWHERE for nodes that are not feasible. `filter` comes first."""
        if not self._scored:
            self._raw = {}
            for plugin, _ in self._profile.scores:
                raw = self._score_all(plugin)
                if raw is not None:
                    self._raw[plugin.name] = raw
            self._scored = True
            self._sum()
        return self.total

    @property
    def independent(self) -> bool:
        """Whether a pod on one node leaves the scores of all others as they are. `score` comes first."""
        wide = any(p.scope is Scope.CLUSTER and p.name in self._masks for p in self._profile.filters)
        return not wide and self._steady

    def _start(self) -> None:
        """Compute every row of every filter."""
        while self._epoch != self._nodes.epoch:  # a plugin may add a column, which begins a new epoch
            self._epoch = self._nodes.epoch
            self._masks = {}
            for plugin in self._profile.filters:
                mask = plugin.filter(self.facts, self._nodes, ALL)
                if mask is not None:
                    self._masks[plugin.name] = mask
        self._read = len(self._nodes.changes)
        self._scored = False
        self._join(ALL)

    def _catch_up(self) -> None:
        news = self._nodes.changes[self._read :]
        self._read = len(self._nodes.changes)
        rows = np.unique([slot for slot, _ in news])
        nodes_changed = any(node for _, node in news)
        wide = self._ask_filters(rows, nodes_changed)
        before = self.feasible[rows]
        self._join(ALL if wide else rows)
        if self._scored:
            feasible_changed = wide or bool((before != self.feasible[rows]).any())
            self._ask_scores(rows, nodes_changed, feasible_changed)

    def _ask_filters(self, rows: Rows, nodes_changed: bool) -> bool:
        """Bring masks up to date; whether rows beyond `rows` may have changed."""
        wide = False
        for plugin in self._profile.filters:
            if not _touched(plugin.scope, nodes_changed):
                continue
            if plugin.scope in WIDE:
                mask = plugin.filter(self.facts, self._nodes, ALL)
                if mask is not None or plugin.name in self._masks:
                    wide = True
                    self._masks[plugin.name] = np.ones(self._nodes.capacity, np.bool_) if mask is None else mask
            elif plugin.name in self._masks:
                mask = plugin.filter(self.facts, self._nodes, rows)
                assert mask is not None, plugin.name
                self._masks[plugin.name][rows] = mask
        return wide

    def _ask_scores(self, rows: Rows, nodes_changed: bool, everywhere: bool) -> None:
        for plugin, _ in self._profile.scores:
            if not _touched(plugin.scope, nodes_changed):
                continue
            known = self._raw.get(plugin.name)
            if plugin.scope in WIDE:
                raw = self._score_all(plugin)
                if raw is not None:
                    self._raw[plugin.name] = raw
                else:
                    self._raw.pop(plugin.name, None)
                everywhere = everywhere or raw is not None or known is not None
            elif known is not None:
                raw = plugin.score(self.facts, self._nodes, rows)
                assert raw is not None, plugin.name
                everywhere = everywhere or (plugin.normalizes and bool((known[rows] != raw).any()))
                known[rows] = raw
        if everywhere:
            self._sum()
        else:
            self._sum_rows(rows)

    def _score_all(self, plugin: ScorePlugin) -> Ints | None:
        """Raw scores of every node; what looks at the whole cluster is told which nodes are feasible."""
        if plugin.scope is not Scope.CLUSTER:
            return plugin.score(self.facts, self._nodes, ALL)
        rows = np.flatnonzero(self.feasible)
        scores = plugin.score(self.facts, self._nodes, rows)
        if scores is None:
            return None
        raw: Ints = np.zeros(self._nodes.capacity, np.int64)
        raw[rows] = scores
        return raw

    def _join(self, rows: Rows) -> None:
        if isinstance(rows, slice):
            self.feasible = self._nodes.present.copy()
        else:
            self.feasible[rows] = self._nodes.present[rows]
        for mask in self._masks.values():
            self.feasible[rows] &= mask[rows]

    def _active(self) -> Iterator[tuple[ScorePlugin, int, Ints]]:
        for plugin, weight in self._profile.scores:
            if plugin.name in self._raw:
                yield plugin, weight, self._raw[plugin.name]

    def _sum(self) -> None:
        """Normalize over the feasible nodes, and add up."""
        self._normalized = {}
        self._steady = not any(plugin.scope is Scope.CLUSTER for plugin, _, _ in self._active())
        self.total = np.where(self.feasible, 0, NOWHERE)
        for plugin, weight, raw in self._active():
            score = raw
            if plugin.normalizes:
                score = self._normalized[plugin.name] = np.zeros_like(raw)
                seen = raw[self.feasible]
                score[self.feasible] = plugin.normalize(seen)
                self._steady = self._steady and bool((seen == seen[:1]).all())
            self.total[self.feasible] += weight * score[self.feasible]

    def _sum_rows(self, rows: Rows) -> None:
        """Add up again where neither feasibility nor normalized scores changed."""
        total = np.zeros(self._nodes.size(rows), np.int64)
        for plugin, weight, raw in self._active():
            total += weight * (self._normalized[plugin.name] if plugin.normalizes else raw)[rows]
        self.total[rows] = np.where(self.feasible[rows], total, NOWHERE)

    def by_plugin(self, rows: Rows) -> dict[str, Ints]:
        """The weighted scores of some feasible rows, by plugin."""
        return {
            plugin.name: weight * (self._normalized[plugin.name] if plugin.normalizes else raw)[rows]
            for plugin, weight, raw in self._active()
        }

    def rejected_by(self) -> Iterator[tuple[FilterPlugin, Slots]]:
        """Each filter with the nodes that it is the first to turn down."""
        left = self._nodes.present.copy()
        for plugin in self._profile.filters:
            mask = self._masks.get(plugin.name)
            if mask is None:
                continue
            rows = np.flatnonzero(left & ~mask)
            if len(rows):
                yield plugin, rows
            left &= mask


def _touched(scope: Scope, nodes_changed: bool) -> bool:
    return nodes_changed or scope in (Scope.ROW, Scope.CLUSTER)
