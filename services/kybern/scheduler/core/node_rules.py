"""Which nodes a pod's own node rules allow: its node selector and affinity, and its tolerations.

The plugins NodeAffinity and TaintToleration filter with these; PodTopologySpread counts domains with them.
"""

from typing import Any

import numpy as np

from kybern.kube.node_affinity import Term, admits, required_terms
from kybern.kube.selectors import from_labels
from kybern.scheduler.core.columns import ALL, Mask, Rows, meets
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot
from kybern.scheduler.core.tolerations import untolerated


def required_mask(pod: Facts, nodes: Snapshot, rows: Rows) -> Mask | None:
    """Which rows the pod's node selector and required node affinity allow; None: all, whatever changes."""
    selector, terms = from_labels(pod.spec.get("nodeSelector")), required_terms(pod.spec)
    if selector.empty and terms is None:
        return None
    mask = meets(nodes.labels, selector.requirements, rows, nodes.size(rows))
    if terms is not None:
        allowed: Mask = np.zeros(nodes.size(rows), np.bool_)
        for term in terms:
            allowed |= term_mask(term, nodes, rows)
        mask &= allowed
    return mask


def term_mask(term: Term, nodes: Snapshot, rows: Rows) -> Mask:
    """Which rows one term matches."""
    labels, fields = term
    mask = meets(nodes.labels, labels.requirements, rows, nodes.size(rows))
    if fields.requirements:
        named: Mask = np.zeros(nodes.capacity, np.bool_)
        for name, slot in nodes.slots.items():
            named[slot] = fields.matches({"metadata.name": name})
        mask &= named[rows]
    return mask


def affinity_mask(pod: Facts, nodes: Snapshot) -> Mask:
    """`required_mask` over all nodes, as a mask in any case."""
    mask = required_mask(pod, nodes, ALL)
    return np.ones(nodes.capacity, np.bool_) if mask is None else mask


def taint_mask(pod: Facts, nodes: Snapshot, rows: Rows = ALL) -> Mask:
    """Which rows have no taint that repels the pod. Each distinct list of taints is judged once."""
    fine = [untolerated(pod.tolerations, taints) is None for taints in nodes.taints.values]
    return np.array(fine, np.bool_)[nodes.taints.codes[rows]]


def node_is_allowed(pod: Facts, node: Any) -> bool:
    """Whether one Node object meets the pod's node selector and required node affinity."""
    return admits(pod.spec, node)
