"""The nodes as columns, and the pods on them as sums: changed in place, one row at a time, never rebuilt for a pod.

Every node has a slot; slots of deleted nodes are reused. `changes` logs which rows changed, so that whoever computed
something from the columns can catch up with just those rows; `epoch` says when that is impossible.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kybern.kube import meta
from kybern.scheduler.core.columns import Interned, Ints, LabelColumn, Mask, Rows, grown
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.requests import amounts
from kybern.scheduler.core.tolerations import Taint

BASIC = ("cpu", "memory", "ephemeral-storage", "pods")
LOG_LIMIT = 65536


class Snapshot:
    """What plugins compute from. Rows of absent nodes hold zeros; `present` masks them."""

    def __init__(self, capacity: int = 64) -> None:
        self.capacity = capacity
        self.names: list[str] = [""] * capacity
        self.slots: dict[str, int] = {}
        self.present: Mask = np.zeros(capacity, np.bool_)
        self.unschedulable: Mask = np.zeros(capacity, np.bool_)
        self.resources: dict[str, int] = {name: column for column, name in enumerate(BASIC)}
        self.allocatable: Ints = np.zeros((capacity, len(BASIC)), np.int64)
        self.requested: Ints = np.zeros((capacity, len(BASIC)), np.int64)
        self.nonzero: Ints = np.zeros((capacity, 2), np.int64)
        self.taints = Interned(capacity, ())
        self.labels: dict[str, LabelColumn] = {}
        self.images: dict[str, dict[int, int]] = {}  # image name → slot → bytes
        self.ports: dict[tuple[str, int], dict[int, Counter[str]]] = {}  # (protocol, port) → slot → addresses
        self.pods: dict[Facts, Counter[int]] = {}  # how many pods with these facts on each slot
        self.affine: dict[Facts, Counter[int]] = {}  # of `pods`, those with affinity or anti-affinity to pods
        self.namespaces: dict[str, Mapping[str, str]] = {}  # labels of namespaces
        self.epoch = 0
        self.changes: list[tuple[int, bool]] = []  # (slot, whether the node itself changed)
        self._free = list(range(capacity - 1, -1, -1))
        self._images_of: dict[int, list[str]] = {}

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def version(self) -> tuple[int, int]:
        """Different after every change."""
        return self.epoch, len(self.changes)

    def size(self, rows: Rows) -> int:
        return self.capacity if isinstance(rows, slice) else len(rows)

    def column(self, resource: str) -> int:
        """The column of a resource, made if it is new."""
        column = self.resources.get(resource)
        if column is None:
            column = self.resources[resource] = len(self.resources)
            more = np.zeros((self.capacity, 1), np.int64)
            self.allocatable = np.hstack([self.allocatable, more])
            self.requested = np.hstack([self.requested, more])
            self._new_epoch()
        return column

    # Nodes

    def set_node(self, node: Mapping[str, Any]) -> None:
        """Add the node, or take over what changed; the pods on it stay."""
        name = meta.name(node)
        slot = self.slots.get(name)
        if slot is None:
            slot = self._take_slot(name)
        spec, status = node.get("spec") or {}, node.get("status") or {}
        self.unschedulable[slot] = bool(spec.get("unschedulable"))
        self.taints.set(slot, node_taints(node))
        limits = amounts(status.get("allocatable") or status.get("capacity"))
        columns = {self.column(resource): value for resource, value in limits.items()}
        self.allocatable[slot] = 0
        for column, value in columns.items():
            self.allocatable[slot, column] = value
        self._set_labels(slot, meta.labels(node))
        self._set_images(slot, status.get("images") or ())
        self._log(slot, True)

    def remove_node(self, name: str) -> None:
        """Forget the node; its pods must have been removed before, or are forgotten with it."""
        slot = self.slots.pop(name, None)
        if slot is None:
            return
        self.names[slot] = ""
        self.present[slot] = self.unschedulable[slot] = False
        self.allocatable[slot] = self.requested[slot] = self.nonzero[slot] = 0
        self.taints.set(slot, ())
        self._set_labels(slot, {})
        self._set_images(slot, ())
        for taken in self.ports.values():
            taken.pop(slot, None)
        for counts in self.pods.values():
            counts.pop(slot, None)
        self.pods = {facts: counts for facts, counts in self.pods.items() if counts}
        self.affine = {facts: counts for facts, counts in self.affine.items() if counts}
        self._free.append(slot)
        self._log(slot, True)

    def _take_slot(self, name: str) -> int:
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self.slots[name] = slot
        self.names[slot] = name
        self.present[slot] = True
        return slot

    def _grow(self) -> None:
        old, self.capacity = self.capacity, self.capacity * 2
        self.names += [""] * old
        self.present = grown(self.present, self.capacity, False)
        self.unschedulable = grown(self.unschedulable, self.capacity, False)
        self.allocatable = grown(self.allocatable, self.capacity, 0)
        self.requested = grown(self.requested, self.capacity, 0)
        self.nonzero = grown(self.nonzero, self.capacity, 0)
        self.taints.grow(self.capacity)
        for column in self.labels.values():
            column.grow(self.capacity)
        self._free = list(range(self.capacity - 1, old - 1, -1))
        self._new_epoch()

    def _set_labels(self, slot: int, labels: Mapping[str, str]) -> None:
        for key in labels:
            if key not in self.labels:
                self.labels[key] = LabelColumn(key, self.capacity)
        for key, column in self.labels.items():
            column.set(slot, labels.get(key))

    def _set_images(self, slot: int, images: Any) -> None:
        for name in self._images_of.pop(slot, ()):
            sizes = self.images[name]
            sizes.pop(slot, None)
            if not sizes:
                del self.images[name]
        found = {name: int(image.get("sizeBytes") or 0) for image in images for name in image.get("names") or ()}
        for name, size in found.items():
            self.images.setdefault(name, {})[slot] = size
        if found:
            self._images_of[slot] = list(found)

    # Pods

    def add_pod(self, facts: Facts, node: str) -> None:
        """Count a pod on a node that is present."""
        self._count(facts, self.slots[node], 1)

    def remove_pod(self, facts: Facts, node: str) -> None:
        """Take back `add_pod`; nothing happens when the node has gone meanwhile."""
        slot = self.slots.get(node)
        if slot is not None and facts in self.pods and self.pods[facts][slot]:
            self._count(facts, slot, -1)

    def tally(self, matches: Callable[[Facts], bool], resource: str = "") -> Ints:
        """How many pods with matching facts are on each node, or how much of a resource they request."""
        counts: Ints = np.zeros(self.capacity, np.int64)
        for facts, slots in self.pods.items():
            if matches(facts):
                each = facts.requests.get(resource, 0) if resource else 1
                for slot, count in slots.items():
                    counts[slot] += count * each
        return counts

    def set_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """Know the labels of a namespace, or (None) forget it."""
        if labels == self.namespaces.get(name):
            return
        if labels is None:
            del self.namespaces[name]
        else:
            self.namespaces[name] = labels
        self._new_epoch()

    # The log and the sums

    def _count(self, facts: Facts, slot: int, by: int) -> None:
        for resource, value in facts.requests.items():
            column = self.column(resource)
            self.requested[slot, column] += by * value
        self.requested[slot, 3] += by
        self.nonzero[slot, 0] += by * facts.nonzero[0]
        self.nonzero[slot, 1] += by * facts.nonzero[1]
        for address, protocol, port in facts.ports:
            _tally(self.ports.setdefault((protocol, port), {}).setdefault(slot, Counter()), address, by)
        counts = self.pods.setdefault(facts, Counter())
        _tally(counts, slot, by)
        if facts.to_pods:
            self.affine[facts] = counts
        if not counts:
            del self.pods[facts]
            self.affine.pop(facts, None)
        self._log(slot, False)

    def _log(self, slot: int, node: bool) -> None:
        self.changes.append((slot, node))
        if len(self.changes) > LOG_LIMIT:
            self._new_epoch()

    def _new_epoch(self) -> None:
        self.epoch += 1
        self.changes.clear()


def _tally(counts: Counter[Any], key: Any, by: int) -> None:
    counts[key] += by
    if not counts[key]:
        del counts[key]


def node_taints(node: Mapping[str, Any]) -> tuple[Taint, ...]:
    """The taints of a Node object."""
    taints = (node.get("spec") or {}).get("taints") or ()
    return tuple((taint.get("key") or "", taint.get("value") or "", taint.get("effect") or "") for taint in taints)
