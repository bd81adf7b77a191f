"""The loop over nodes that gives each its pod CIDR."""

from kybern.client.events import NORMAL
from kybern.client.informer import EventHandler
from kybern.client.resources import NODES
from kybern.controllers.context import Context
from kybern.controllers.node_ipam.core import CIDRNotAvailable, CidrSet
from kybern.kube import meta
from kybern.kube.meta import Object

NAME = "node-ipam-controller"


class NodeIpamController:
    """One allocator for all nodes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._nodes = context.informer(NODES)
        self._events = context.recorder("cidrAllocator")
        self._cidrs = CidrSet(context.options.cluster_cidr, context.options.node_cidr_mask_size)
        self._given: dict[str, str] = {}  # uid → CIDR given and perhaps not yet seen
        self._loop = context.controller(NAME, NODES, self.reconcile, workers=10)
        self._nodes.add_handler(EventHandler(on_delete=lambda node, unknown: self._release(node)))

    async def run(self) -> None:
        if not self._context.options.allocate_node_cidrs:
            return
        await self._context.synced(NODES)
        for node in self._nodes.store.list():  # before any is given away
            for cidr in pod_cidrs(node):
                self._cidrs.occupy(cidr)
        await self._loop.run()

    def _release(self, node: Object) -> None:
        given = self._given.pop(meta.uid(node), None)
        for cidr in {*pod_cidrs(node), *([given] if given else [])}:
            self._cidrs.release(cidr)

    async def reconcile(self, key: str) -> None:
        node = self._nodes.get(key)
        if node is None:
            return
        if pod_cidrs(node):
            for cidr in pod_cidrs(node):
                self._cidrs.occupy(cidr)
            self._given.pop(meta.uid(node), None)
            return
        if meta.uid(node) not in self._given:
            try:
                self._given[meta.uid(node)] = self._cidrs.allocate()
            except CIDRNotAvailable:
                message = f"Node {key} status is now: CIDRNotAvailable"
                self._events.event(node, NORMAL, "CIDRNotAvailable", message)
                raise
        cidr = self._given[meta.uid(node)]
        patch = {"metadata": {"uid": meta.uid(node)}, "spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}
        await self._context.client.patch(NODES, key, patch=patch)


def pod_cidrs(node: Object) -> list[str]:
    """The pod networks of a node."""
    spec: Object = node.get("spec") or {}
    return spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
