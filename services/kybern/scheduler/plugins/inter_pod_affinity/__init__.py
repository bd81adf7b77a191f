"""InterPodAffinity: pods that want to be near other pods, or away from them, by the values of a node label.

A node fits when every required affinity term finds a pod in the node's domain, no anti-affinity term of the pod does,
and no pod that runs has an anti-affinity term that means the new pod. The first pod of a group that wants to be near
itself may go anywhere with the labels. Preferred terms add or take their weight for each pod in the domain; so do the
terms of running pods that mean the new one (required affinity counts 1).
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from kybern.scheduler.core.columns import ABSENT, Ints, Mask, Rows, Slots, domain_sums
from kybern.scheduler.core.framework import MAX_SCORE, Event, Scope, always
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot
from kybern.scheduler.plugins.inter_pod_affinity.term import PREFERRED, REQUIRED, Term, terms

NEAR, AWAY = "podAffinity", "podAntiAffinity"
NOT_NEAR = "node(s) didn't match pod affinity rules"
NOT_AWAY = "node(s) didn't match pod anti-affinity rules"
UNWELCOME = "node(s) didn't satisfy existing pods anti-affinity rules"


class InterPodAffinity:
    name = "InterPodAffinity"
    scope = Scope.CLUSTER
    normalizes = True
    events = {
        Event.NODE_ADD: always,
        Event.NODE_LABEL: always,
        Event.POD_ADD: always,
        Event.POD_UPDATE: always,
        Event.POD_DELETE: always,
    }

    def filter(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Mask | None:
        masks = _masks(pod, nodes)
        if not masks:
            return None
        fine = masks[0][1]
        for _, mask in masks[1:]:
            fine = fine & mask
        return fine[rows]

    def reasons(self, pod: Facts, nodes: Snapshot, rejected: Rows) -> Counter[str]:
        found: Counter[str] = Counter()
        left: Mask = np.ones(nodes.size(rejected), np.bool_)
        for reason, mask in _masks(pod, nodes):
            found[reason] += int((left & ~mask[rejected]).sum())
            left &= mask[rejected]
        return +found

    def curable(self, pod: Facts, nodes: Snapshot, rejected: Slots) -> Slots:
        """Nodes where nothing is missing, only somebody in the way."""
        near = [mask for reason, mask in _masks(pod, nodes) if reason == NOT_NEAR]
        return rejected[near[0][rejected]] if near else rejected

    def score(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Ints | None:
        total: Ints | None = None
        for term, amounts in _preferences(pod, nodes):
            column = nodes.labels.get(term.key)
            if column is not None and amounts.any():
                sums = domain_sums(column, amounts, nodes.present)[0][column.codes]
                total = sums if total is None else total + sums
        return None if total is None else total[rows]

    def normalize(self, raw: Ints) -> Ints:
        if not len(raw):
            return raw
        least, most = int(raw.min()), int(raw.max())
        if most == least:
            return np.zeros_like(raw)
        return (MAX_SCORE * ((raw - least) / (most - least))).astype(np.int64)


def _masks(pod: Facts, nodes: Snapshot) -> list[tuple[str, Mask]]:
    """Each rule that applies, in upstream's order, with the nodes that keep it."""
    masks: list[tuple[str, Mask]] = []
    near, away = terms(pod, NEAR, REQUIRED), terms(pod, AWAY, REQUIRED)
    if near:
        masks.append((NOT_NEAR, _near(near, pod, nodes)))
    if away:
        masks.append((NOT_AWAY, _away(away, nodes)))
    if nodes.affine:
        unwelcome = _unwelcome(pod, nodes)
        if unwelcome is not None:
            masks.append((UNWELCOME, ~unwelcome))
    return masks


def _near(wanted: tuple[Term, ...], pod: Facts, nodes: Snapshot) -> Mask:
    matching = nodes.tally(lambda facts: all(term.matches(facts, nodes) for term in wanted))
    nobody = True
    fine: Mask = np.ones(nodes.capacity, np.bool_)
    labelled: Mask = np.ones(nodes.capacity, np.bool_)
    for term in wanted:
        has, there = _domains(term, matching, nodes)
        nobody = nobody and not there.any()
        labelled &= has
        fine &= there
    if nobody and all(term.matches(pod, nodes) for term in wanted):
        return labelled
    return fine


def _meant(term: Term, nodes: Snapshot) -> Ints:
    """How many of each node's pods the term means."""
    return nodes.tally(lambda facts: term.matches(facts, nodes))


def _away(unwanted: tuple[Term, ...], nodes: Snapshot) -> Mask:
    fine: Mask = np.ones(nodes.capacity, np.bool_)
    for term in unwanted:
        _, there = _domains(term, _meant(term, nodes), nodes)
        fine &= ~there
    return fine


def _unwelcome(pod: Facts, nodes: Snapshot) -> Mask | None:
    """Where pods run that keep such a pod away; None when there are none."""
    found: Mask | None = None
    for facts in nodes.affine:
        for term in terms(facts, AWAY, REQUIRED):
            if term.matches(pod, nodes):
                _, there = _domains(term, _on(facts, nodes), nodes)
                found = there if found is None else found | there
    return found


def _domains(term: Term, pods: Ints, nodes: Snapshot) -> tuple[Mask, Mask]:
    """Which nodes have the term's label, and in the domains of which there are any of the pods."""
    column = nodes.labels.get(term.key)
    if column is None:
        nowhere: Mask = np.zeros(nodes.capacity, np.bool_)
        return nowhere, nowhere
    sums, _ = domain_sums(column, pods, nodes.present)
    has = column.codes != ABSENT
    return has, has & (sums[column.codes] > 0)


def _on(facts: Facts, nodes: Snapshot) -> Ints:
    counts: Ints = np.zeros(nodes.capacity, np.int64)
    for slot, count in nodes.affine[facts].items():
        counts[slot] = count
    return counts


def _preferences(pod: Facts, nodes: Snapshot) -> Iterator[tuple[Term, Any]]:
    """Each term that speaks for or against nodes, with the weight it gives to each node's domain."""
    for kind, sign in ((NEAR, 1), (AWAY, -1)):
        for term in terms(pod, kind, PREFERRED):
            yield term, sign * term.weight * _meant(term, nodes)
    for facts in nodes.affine:
        for kind, when, sign in ((NEAR, PREFERRED, 1), (AWAY, PREFERRED, -1), (NEAR, REQUIRED, 1)):
            for term in terms(facts, kind, when):
                if term.matches(pod, nodes):
                    yield term, sign * term.weight * _on(facts, nodes)
