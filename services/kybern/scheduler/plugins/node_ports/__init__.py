"""NodePorts: two pods cannot hold the same host port on one node, unless their host addresses differ."""

from collections import Counter

import numpy as np

from kybern.scheduler.core.columns import Mask, Rows, Slots
from kybern.scheduler.core.framework import Event, Scope, always
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot

ANY = "0.0.0.0"


def frees_a_port(pod: Facts, gone: Facts) -> bool:
    return any(_clash(mine, theirs) for mine in pod.ports for theirs in gone.ports)


def _clash(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    return one[1:] == other[1:] and (one[0] == other[0] or ANY in (one[0], other[0]))


class NodePorts:
    name = "NodePorts"
    scope = Scope.ROW
    events = {Event.NODE_ADD: always, Event.POD_DELETE: frees_a_port}

    def filter(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Mask | None:
        if not pod.ports:
            return None
        free: Mask = np.ones(nodes.capacity, np.bool_)
        for address, protocol, port in pod.ports:
            for slot, taken in nodes.ports.get((protocol, port), {}).items():
                if taken and (address == ANY or address in taken or ANY in taken):
                    free[slot] = False
        return free[rows]

    def reasons(self, pod: Facts, nodes: Snapshot, rejected: Rows) -> Counter[str]:
        return Counter({"node(s) didn't have free ports for the requested pod ports": nodes.size(rejected)})

    def curable(self, pod: Facts, nodes: Snapshot, rejected: Slots) -> Slots:
        return rejected
