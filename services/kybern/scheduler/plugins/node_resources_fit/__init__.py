"""NodeResourcesFit: what the pod requests must be free on the node; the least allocated node scores best.

    score = Σ over cpu, memory of (allocatable − requested) · 100 / allocatable, divided by how many of them exist

The score counts containers that request nothing as 100m CPU and 200Mi, and includes the pod itself.
"""

from collections import Counter
from typing import Any

import numpy as np

from kybern.scheduler.core.columns import Ints, Mask, Rows, Slots
from kybern.scheduler.core.framework import MAX_SCORE, Event, Scope
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.requests import amounts
from kybern.scheduler.core.snapshot import Snapshot

PODS = "pods"


def node_is_large_enough(pod: Facts, node: Any) -> bool:
    allocatable = amounts((node.get("status") or {}).get("allocatable"))
    return all(value <= allocatable.get(resource, 0) for resource, value in pod.requests.items())


def frees_a_request(pod: Facts, gone: Facts) -> bool:
    return not pod.requests or any(resource in gone.requests for resource in pod.requests) or not gone.requests


class NodeResourcesFit:
    name = "NodeResourcesFit"
    scope = Scope.ROW
    normalizes = False
    events = {
        Event.NODE_ADD: node_is_large_enough,
        Event.NODE_ALLOCATABLE: node_is_large_enough,
        Event.POD_DELETE: frees_a_request,
        Event.POD_UPDATE: frees_a_request,
    }

    def filter(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Mask | None:
        mask: Mask = nodes.requested[rows, nodes.resources[PODS]] < nodes.allocatable[rows, nodes.resources[PODS]]
        for resource, wanted in pod.requests.items():
            mask &= self._free(resource, nodes, rows) >= wanted
        return mask

    def _free(self, resource: str, nodes: Snapshot, rows: Rows) -> Ints:
        column = nodes.column(resource)
        free: Ints = nodes.allocatable[rows, column] - nodes.requested[rows, column]
        return free

    def reasons(self, pod: Facts, nodes: Snapshot, rejected: Rows) -> Counter[str]:
        found: Counter[str] = Counter()
        full = self._free(PODS, nodes, rejected) < 1
        found["Too many pods"] = int(full.sum())
        for resource, wanted in pod.requests.items():
            found[f"Insufficient {resource}"] = int((self._free(resource, nodes, rejected) < wanted).sum())
        return +found

    def curable(self, pod: Facts, nodes: Snapshot, rejected: Slots) -> Slots:
        """Nodes that would be large enough if they were empty."""
        fits: Mask = np.ones(len(rejected), np.bool_)
        for resource, wanted in pod.requests.items():
            fits &= nodes.allocatable[rejected, nodes.column(resource)] >= wanted
        return rejected[fits]

    def score(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Ints | None:
        limits = nodes.allocatable[rows, :2]  # cpu, memory
        left = limits - nodes.nonzero[rows] - np.array(pod.nonzero, np.int64)
        exists = limits > 0
        scores = np.where(exists & (left > 0), left * MAX_SCORE // np.maximum(limits, 1), 0)
        total: Ints = scores.sum(axis=1) // np.maximum(exists.sum(axis=1), 1)
        return total

    def normalize(self, raw: Ints) -> Ints:
        return raw
