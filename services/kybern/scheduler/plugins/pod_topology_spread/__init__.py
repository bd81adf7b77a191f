"""PodTopologySpread: pods that belong together are spread over zones, nodes, or the values of any node label.

    skew of a domain = matching pods in it, with the new one − the fewest in any domain        hard: skew ≤ maxSkew
    raw score        = Σ over constraints of pods in the domain · ln(domains + 2) + maxSkew − 1      fewer is better

Domains are the values of the label among nodes that have the labels of all constraints and that the pod's node
affinity (and taints, if the constraint says so) allow.
"""

from collections import Counter
from typing import Any

import numpy as np

from kybern.kube import meta
from kybern.scheduler.core.columns import ABSENT, Ints, LabelColumn, Mask, Rows, Slots, domain_sums
from kybern.scheduler.core.framework import MAX_SCORE, Event, Scope
from kybern.scheduler.core.node_rules import affinity_mask, taint_mask
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot
from kybern.scheduler.plugins.pod_topology_spread.constraint import Constraint, constraints

SKEWED = "node(s) didn't match pod topology spread constraints"
MISSING = f"{SKEWED} (missing required label)"
HOSTNAME = "kubernetes.io/hostname"
IGNORED = -1


def node_has_the_labels(pod: Facts, node: Any) -> bool:
    return all(each.key in meta.labels(node) for each in constraints(pod, True))


def pod_counts(pod: Facts, other: Facts) -> bool:
    return any(each.namespace == other.namespace for each in constraints(pod, True))


class PodTopologySpread:
    name = "PodTopologySpread"
    scope = Scope.CLUSTER
    normalizes = True
    events = {
        Event.NODE_ADD: node_has_the_labels,
        Event.NODE_LABEL: node_has_the_labels,
        Event.NODE_TAINT: node_has_the_labels,
        Event.NODE_DELETE: node_has_the_labels,  # its domain may have been the one with the fewest pods
        Event.POD_ADD: pod_counts,
        Event.POD_UPDATE: pod_counts,
        Event.POD_DELETE: pod_counts,
    }

    def filter(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Mask | None:
        hard = constraints(pod, True)
        if not hard:
            return None
        labelled = _labelled(hard, nodes)
        mask = labelled.copy()
        for each in hard:
            if labelled.any():
                mask &= _within_skew(each, pod, nodes, labelled & _included(each, pod, nodes))
        return mask[rows]

    def reasons(self, pod: Facts, nodes: Snapshot, rejected: Rows) -> Counter[str]:
        labelled = int(_labelled(constraints(pod, True), nodes)[rejected].sum())
        return +Counter({SKEWED: labelled, MISSING: nodes.size(rejected) - labelled})

    def curable(self, pod: Facts, nodes: Snapshot, rejected: Slots) -> Slots:
        """Nodes that have the labels."""
        return rejected[_labelled(constraints(pod, True), nodes)[rejected]]

    def score(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Ints | None:
        soft = constraints(pod, False)
        if not soft:
            return None
        labelled = _labelled(soft, nodes)
        total = np.zeros(nodes.capacity)
        for each in soft:
            if labelled.any():
                total += _crowding(each, pod, nodes, labelled, rows)
        raw = np.floor(total + 0.5).astype(np.int64)
        raw[~labelled] = IGNORED
        return raw[rows]

    def normalize(self, raw: Ints) -> Ints:
        scored = raw != IGNORED
        most, least = int(raw.max(initial=0)), int(raw[scored].min(initial=np.iinfo(np.int64).max))
        if most == 0:
            return np.where(scored, MAX_SCORE, 0)
        return np.where(scored, MAX_SCORE * (most + least - raw) // most if scored.any() else 0, 0)


def _labelled(wanted: tuple[Constraint, ...], nodes: Snapshot) -> Mask:
    """Which nodes have the labels of all constraints."""
    mask = nodes.present.copy()
    for each in wanted:
        column = nodes.labels.get(each.key)
        mask &= column.codes != ABSENT if column is not None else False
    return mask


def _included(each: Constraint, pod: Facts, nodes: Snapshot) -> Mask:
    """Which nodes the constraint looks at, by its inclusion policies."""
    mask: Mask = np.ones(nodes.capacity, np.bool_)
    if each.honor_affinity:
        mask &= affinity_mask(pod, nodes)
    if each.honor_taints:
        mask &= taint_mask(pod, nodes)
    return mask


def _within_skew(each: Constraint, pod: Facts, nodes: Snapshot, among: Mask) -> Mask:
    column: LabelColumn = nodes.labels[each.key]
    sums, found = domain_sums(column, nodes.tally(each.counts), among)
    if not found.any():
        return np.ones(nodes.capacity, np.bool_)
    fewest = int(sums[found].min()) if int(found.sum()) >= each.min_domains else 0
    fine: Mask = sums[column.codes] + int(each.selector.matches(pod.labels)) - fewest <= each.max_skew
    return fine


def _crowding(each: Constraint, pod: Facts, nodes: Snapshot, labelled: Mask, rows: Rows) -> Any:
    """What one constraint adds to the raw score of each node."""
    column: LabelColumn = nodes.labels[each.key]
    counts = nodes.tally(each.counts)
    feasible: Mask = np.zeros(nodes.capacity, np.bool_)
    feasible[rows] = True
    feasible &= labelled
    if each.key == HOSTNAME:
        pods, domains = counts, int(feasible.sum())
    else:
        pods = domain_sums(column, counts, labelled & _included(each, pod, nodes))[0][column.codes]
        domains = len(np.unique(column.codes[feasible]))
    return pods * np.log(domains + 2) + (each.max_skew - 1)
