"""NodeResourcesBalancedAllocation: prefers nodes whose CPU and memory the pod brings closer to the same fraction.

    balance = (1 − |cpu fraction − memory fraction| / 2) · 100, with and without the pod
    score   = 50 + (50 + balance with the pod − balance without) / 2

About 75 where nothing changes, towards 100 where balance improves, towards 50 where it suffers. Pods that request
neither CPU nor memory are not scored.
"""

import numpy as np
from numpy.typing import NDArray

from kybern.scheduler.core.columns import Ints, Rows
from kybern.scheduler.core.framework import MAX_SCORE, Scope
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot

HALF = MAX_SCORE // 2


def balance(requested: Ints, allocatable: Ints) -> Ints:
    """How close the fractions of CPU and memory (the columns) are, 50 to 100; a resource of size 0 does not count."""
    fractions: NDArray[np.float64] = np.minimum(requested / np.maximum(allocatable, 1), 1.0)
    deviation = np.abs(fractions[:, 0] - fractions[:, 1]) / 2
    both = (allocatable > 0).all(axis=1)
    return ((1 - np.where(both, deviation, 0.0)) * MAX_SCORE).astype(np.int64)


class NodeResourcesBalancedAllocation:
    name = "NodeResourcesBalancedAllocation"
    scope = Scope.ROW
    normalizes = False

    def score(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Ints | None:
        wanted = np.array([pod.requests.get("cpu", 0), pod.requests.get("memory", 0)], np.int64)
        if not wanted.any():
            return None
        requested, allocatable = nodes.requested[rows, :2], nodes.allocatable[rows, :2]
        change = balance(requested + wanted, allocatable) - balance(requested, allocatable)
        return HALF + (HALF + change) // 2

    def normalize(self, raw: Ints) -> Ints:
        return raw
