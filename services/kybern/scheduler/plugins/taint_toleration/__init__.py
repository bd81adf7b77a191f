"""TaintToleration: NoSchedule and NoExecute taints repel, PreferNoSchedule taints cost score.

Nodes share few lists of taints: each distinct list is judged once, then looked up for every node.
"""

from collections import Counter
from typing import Any

import numpy as np

from kybern.scheduler.core.columns import Ints, Mask, Rows
from kybern.scheduler.core.framework import Event, Scope, normalized
from kybern.scheduler.core.node_rules import taint_mask
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot, node_taints
from kybern.scheduler.core.tolerations import disliked, untolerated


def node_is_tolerated(pod: Facts, node: Any) -> bool:
    return untolerated(pod.tolerations, node_taints(node)) is None


class TaintToleration:
    name = "TaintToleration"
    scope = Scope.NODE
    normalizes = True
    events = {Event.NODE_ADD: node_is_tolerated, Event.NODE_TAINT: node_is_tolerated}

    def filter(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Mask | None:
        return taint_mask(pod, nodes, rows)

    def reasons(self, pod: Facts, nodes: Snapshot, rejected: Rows) -> Counter[str]:
        return Counter({"node(s) had untolerated taint(s)": nodes.size(rejected)})

    def score(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Ints | None:
        counts = [disliked(pod.tolerations, taints) for taints in nodes.taints.values]
        return np.array(counts, np.int64)[nodes.taints.codes[rows]]

    def normalize(self, raw: Ints) -> Ints:
        return normalized(raw, reverse=True)
