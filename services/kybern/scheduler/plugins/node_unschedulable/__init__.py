"""NodeUnschedulable: a cordoned node takes only pods that tolerate node.kubernetes.io/unschedulable:NoSchedule."""

from collections import Counter
from typing import Any

from kybern.scheduler.core.columns import Mask, Rows
from kybern.scheduler.core.framework import Event, Scope
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot
from kybern.scheduler.core.tolerations import tolerates

UNSCHEDULABLE = ("node.kubernetes.io/unschedulable", "", "NoSchedule")


def node_is_open(pod: Facts, node: Any) -> bool:
    return not (node.get("spec") or {}).get("unschedulable")


class NodeUnschedulable:
    name = "NodeUnschedulable"
    scope = Scope.NODE
    events = {Event.NODE_ADD: node_is_open, Event.NODE_TAINT: node_is_open}

    def filter(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Mask | None:
        if tolerates(pod.tolerations, UNSCHEDULABLE):
            return None
        return ~nodes.unschedulable[rows]

    def reasons(self, pod: Facts, nodes: Snapshot, rejected: Rows) -> Counter[str]:
        return Counter({"node(s) were unschedulable": nodes.size(rejected)})
