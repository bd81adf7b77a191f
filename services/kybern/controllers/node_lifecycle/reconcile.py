"""The node lifecycle controller: look at all heartbeats now and then, and bring conditions, taints and pods in line.

Conditions of silent nodes and NoSchedule taints are written at once. NoExecute taints, which cost pods, are given at a
rate for each zone, and not at all when no zone has a ready node: then the controller is more likely cut off than all
nodes are dead.
"""

import asyncio

from kybern.client.events import NORMAL
from kybern.client.informer import EventHandler
from kybern.client.resources import LEASES, NODES, PODS
from kybern.client.store import NODE
from kybern.controllers.context import Context
from kybern.controllers.node_lifecycle.core import (
    Health,
    ZoneState,
    compute_no_execute,
    compute_no_schedule,
    compute_pod_not_ready,
    compute_unknown_conditions,
    eviction_rate,
    is_silent,
    observe,
    zone_of,
    zone_state,
)
from kybern.kube import meta
from kybern.kube.conditions import condition_status
from kybern.kube.meta import Object
from kybern.kube.status import allowing

NAME = "node-controller"
LEASE_NAMESPACE = "kube-node-lease"


class NodeLifecycleController:
    """A loop over nodes for taints, and a monitor of heartbeats that feeds it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._events = context.recorder(NAME)
        self._nodes = context.informer(NODES)
        self._pods = context.informer(PODS, NODE)
        self._leases = context.informer(LEASES)
        self._loop = context.controller(NAME, NODES, self.reconcile)
        self._nodes.add_handler(EventHandler(on_delete=lambda node, unknown: self._forget(meta.name(node))))
        self._health: dict[str, Health] = {}
        self._tokens: dict[str, float] = {}  # by zone: NoExecute taints that may be given now
        self._all_silent = False
        self._period: float = context.options.node_monitor_period
        self._grace: float = context.options.node_monitor_grace_period

    async def run(self) -> None:
        await self._context.synced(NODES, PODS, LEASES)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._monitor())
            tasks.create_task(self._loop.run())

    def _forget(self, name: str) -> None:
        self._health.pop(name, None)

    async def _monitor(self) -> None:
        while True:
            nodes = self._nodes.store.list()
            for node in nodes:
                if self._is_silent(node) or condition_status(node, "Ready") != "True":
                    self._loop.queue.add(meta.name(node))
            self._look_at_zones(nodes)
            await asyncio.sleep(self._period)

    def _is_silent(self, node: Object) -> bool:
        """Judged by the newest state of node and lease: an old one would turn a returning node away."""
        name, monotonic = meta.name(node), asyncio.get_running_loop().time()
        lease = self._leases.get(f"{LEASE_NAMESPACE}/{name}")
        health = self._health[name] = observe(self._health.get(name), node, lease, monotonic)
        return is_silent(health, self._grace, monotonic)

    def _look_at_zones(self, nodes: list[Object]) -> None:
        zones: dict[str, list[Object]] = {}
        for node in nodes:
            zones.setdefault(zone_of(node), []).append(node)
        states = {zone: zone_state(members) for zone, members in zones.items()}
        silent = bool(states) and all(state is ZoneState.FULL_DISRUPTION for state in states.values())
        if silent and not self._all_silent:
            self._context.telemetry.log.warning("no node of any zone is ready: pods are left where they are")
        if silent != self._all_silent:
            for node in nodes:
                self._loop.queue.add(meta.name(node))
        self._all_silent = silent
        tokens = {}
        for zone, members in zones.items():
            rate = eviction_rate(states[zone], len(members))
            tokens[zone] = min(1.0, self._tokens.get(zone, 1.0) + rate * self._period) if rate else 0.0
        self._tokens = tokens

    async def reconcile(self, key: str) -> None:
        node = self._nodes.get(key)
        if node is None or meta.is_deleting(node):
            return
        now = self._context.clock.now()
        if self._is_silent(node):
            conditions = compute_unknown_conditions(node, now)
            if conditions is not None:
                self._events.event(node, NORMAL, "NodeNotReady", f"Node {key} status is now: NodeNotReady")
                status = {**(node.get("status") or {}), "conditions": conditions}
                node = await self._client.update_status(NODES, {**node, "status": status})
        if condition_status(node, "Ready") != "True":
            await self._mark_pods(key)
        node = await self._write_taints(node, compute_no_schedule(node, now))
        await self._write_taints(node, self._no_execute(node))

    def _no_execute(self, node: Object) -> list[Object] | None:
        taints = compute_no_execute(node, self._context.clock.now(), none=self._all_silent)
        if taints is None or self._all_silent or condition_status(node, "Ready") == "True":
            return taints
        zone = zone_of(node)
        if self._tokens.get(zone, 1.0) < 1.0:
            return None  # the monitor brings the node back
        self._tokens[zone] = self._tokens.get(zone, 1.0) - 1.0
        return taints

    async def _write_taints(self, node: Object, taints: list[Object] | None) -> Object:
        if taints is None:
            return node
        guard = {"resourceVersion": meta.resource_version(node)}
        patch = {"metadata": guard, "spec": {"taints": taints or None}}
        return await self._client.patch(NODES, meta.name(node), patch=patch)

    async def _mark_pods(self, name: str) -> None:
        """Pods of a node that is not ready are not ready, whatever they last said: Services leave them out."""
        now = self._context.clock.now()
        for pod in self._pods.store.by_index(NODE, name):
            status = compute_pod_not_ready(pod, now)
            if status is None:
                continue
            self._events.event(pod, "Warning", "NodeNotReady", "Node is not ready")
            with allowing(404, 409):
                await self._client.update_status(PODS, {**pod, "status": status})
