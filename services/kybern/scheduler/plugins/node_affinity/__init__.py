"""NodeAffinity: nodeSelector and required terms filter; preferred terms add their weight to matching nodes.

Terms are alternatives; within a term every expression has to hold. A term without expressions matches nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from kybern.kube import meta
from kybern.kube.selectors import Selector, SelectorError, from_labels, from_node_selector_term
from kybern.scheduler.core.columns import Ints, Mask, Rows, meets
from kybern.scheduler.core.framework import Event, Scope, normalized
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot

Term = tuple[Selector, Selector]  # over labels, over fields (metadata.name)


def parse_term(term: Mapping[str, Any]) -> Term | None:
    """The selectors of a NodeSelectorTerm; None when it is empty or cannot be read, and so matches nothing."""
    expressions, fields = term.get("matchExpressions"), term.get("matchFields")
    if not expressions and not fields:
        return None
    try:
        return from_node_selector_term(expressions), from_node_selector_term(fields)
    except SelectorError:
        return None


def required_terms(pod: Facts) -> list[Term] | None:
    """The alternatives the pod requires; None when it requires none."""
    required = (pod.affinity.get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return None
    return _parsed(required.get("nodeSelectorTerms") or ())


def _parsed(terms: Iterable[Mapping[str, Any]]) -> list[Term]:
    return [parsed for term in terms if (parsed := parse_term(term)) is not None]


def required_mask(pod: Facts, nodes: Snapshot, rows: Rows) -> Mask | None:
    """Which rows the pod's node selector and required node affinity allow; None: all, whatever changes."""
    selector, terms = from_labels(pod.spec.get("nodeSelector")), required_terms(pod)
    if selector.empty and terms is None:
        return None
    mask = meets(nodes.labels, selector.requirements, rows, nodes.size(rows))
    if terms is not None:
        allowed: Mask = np.zeros(nodes.size(rows), np.bool_)
        for term in terms:
            allowed |= _term_mask(term, nodes, rows)
        mask &= allowed
    return mask


def _term_mask(term: Term, nodes: Snapshot, rows: Rows) -> Mask:
    labels, fields = term
    mask = meets(nodes.labels, labels.requirements, rows, nodes.size(rows))
    if fields.requirements:
        named: Mask = np.zeros(nodes.capacity, np.bool_)
        for name, slot in nodes.slots.items():
            named[slot] = fields.matches({"metadata.name": name})
        mask &= named[rows]
    return mask


def node_is_allowed(pod: Facts, node: Any) -> bool:
    """Whether one Node object meets the pod's node selector and required node affinity."""
    labels, fields = meta.labels(node), {"metadata.name": meta.name(node)}
    terms = required_terms(pod)
    return from_labels(pod.spec.get("nodeSelector")).matches(labels) and (
        terms is None or any(term[0].matches(labels) and term[1].matches(fields) for term in terms)
    )


class NodeAffinity:
    name = "NodeAffinity"
    scope = Scope.NODE
    preemptable = False
    normalizes = True
    events = {Event.NODE_ADD: node_is_allowed, Event.NODE_LABEL: node_is_allowed}

    def filter(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Mask | None:
        return required_mask(pod, nodes, rows)

    def reasons(self, pod: Facts, nodes: Snapshot, rejected: Rows) -> Counter[str]:
        return Counter({"node(s) didn't match Pod's node affinity/selector": nodes.size(rejected)})

    def score(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Ints | None:
        preferred = (pod.affinity.get("nodeAffinity") or {}).get("preferredDuringSchedulingIgnoredDuringExecution")
        if not preferred:
            return None
        scores: Ints = np.zeros(nodes.size(rows), np.int64)
        for weighted in preferred:
            term = parse_term(weighted.get("preference") or {})
            if term is not None:
                scores += int(weighted.get("weight") or 0) * _term_mask(term, nodes, rows)
        return scores

    def normalize(self, raw: Ints) -> Ints:
        return normalized(raw)
