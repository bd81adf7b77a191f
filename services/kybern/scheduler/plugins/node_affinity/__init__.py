"""NodeAffinity: nodeSelector and required terms filter; preferred terms add their weight to matching nodes.

Terms are alternatives; within a term every expression has to hold. A term without expressions matches nothing.
"""

from collections import Counter

import numpy as np

from kybern.kube.node_affinity import parse_term
from kybern.scheduler.core.columns import Ints, Mask, Rows
from kybern.scheduler.core.framework import Event, Scope, normalized
from kybern.scheduler.core.node_rules import node_is_allowed, required_mask, term_mask
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot


class NodeAffinity:
    name = "NodeAffinity"
    scope = Scope.NODE
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
                scores += int(weighted.get("weight") or 0) * term_mask(term, nodes, rows)
        return scores

    def normalize(self, raw: Ints) -> Ints:
        return normalized(raw)
