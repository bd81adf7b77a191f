"""NodeName: a pod that names its node fits nowhere else."""

from collections import Counter

import numpy as np

from kybern.scheduler.core.columns import Mask, Rows
from kybern.scheduler.core.framework import Event, Scope, always
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot


class NodeName:
    name = "NodeName"
    scope = Scope.NODE
    events = {Event.NODE_ADD: always}

    def filter(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Mask | None:
        wanted = pod.spec.get("nodeName")
        if not wanted:
            return None
        mask: Mask = np.zeros(nodes.capacity, np.bool_)
        if wanted in nodes.slots:
            mask[nodes.slots[wanted]] = True
        return mask[rows]

    def reasons(self, pod: Facts, nodes: Snapshot, rejected: Rows) -> Counter[str]:
        return Counter({"node(s) didn't match the requested node name": nodes.size(rejected)})
