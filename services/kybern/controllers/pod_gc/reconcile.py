"""The pod garbage collector: a look at all pods every 20 seconds.

A node that is missing must stay missing for 40 seconds, and the apiserver must confirm it, before its pods are removed:
nodes can be deleted and register again.
"""

import asyncio

from kybern.client.resources import NODES, PODS
from kybern.client.store import NODE
from kybern.controllers.context import Context
from kybern.controllers.core.pods import is_terminal
from kybern.controllers.pod_gc.core import (
    Removal,
    missing_nodes,
    orphaned,
    out_of_service,
    terminated_surplus,
    unscheduled_terminating,
)
from kybern.kube import meta
from kybern.kube.conditions import set_condition
from kybern.kube.meta import Object
from kybern.kube.status import StatusError, allowing

PERIOD, QUARANTINE = 20.0, 40.0


class PodGarbageCollector:
    """No queue: what is to do follows from all pods and nodes at once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._nodes = context.informer(NODES)
        self._pods = context.informer(PODS, NODE)
        self._missing_since: dict[str, float] = {}

    async def run(self) -> None:
        await self._context.synced(NODES, PODS)
        while True:
            await self._collect()
            await asyncio.sleep(PERIOD)

    async def _collect(self) -> None:
        pods = self._pods.store.list()
        nodes = {meta.name(node): node for node in self._nodes.store.list()}
        removals = [
            *terminated_surplus(pods, self._context.options.terminated_pod_gc_threshold),
            *orphaned(pods, await self._gone_nodes(missing_nodes(pods, nodes))),
            *unscheduled_terminating(pods),
            *out_of_service(pods, nodes),
        ]
        for removal in removals:
            try:
                await self._remove(removal)
            except StatusError as error:
                key = meta.key(removal.pod)
                self._context.telemetry.log.warning("pod %s was not removed: %s", key, error, extra={"key": key})

    async def _gone_nodes(self, missing: set[str]) -> set[str]:
        """Missing for long enough, and confirmed."""
        now = asyncio.get_running_loop().time()
        self._missing_since = {name: self._missing_since.get(name, now) for name in sorted(missing)}
        gone = set()
        for name, since in self._missing_since.items():
            if now - since >= QUARANTINE and not await self._exists(name):
                gone.add(name)
        return gone

    async def _exists(self, node: str) -> bool:
        try:
            await self._client.get(NODES, node)
        except StatusError as error:
            return error.code != 404
        return True

    async def _remove(self, removal: Removal) -> None:
        pod = removal.pod
        with allowing(404):
            if removal.message and not is_terminal(pod):
                await self._client.update_status(PODS, self._failed(pod, removal.message))
            await self._client.delete(
                PODS, meta.name(pod), meta.namespace(pod), uid=meta.uid(pod), grace_period_seconds=0
            )

    def _failed(self, pod: Object, message: str) -> Object:
        conditions = [dict(c) for c in (pod.get("status") or {}).get("conditions") or []]
        now = self._context.clock.now()
        set_condition(conditions, "DisruptionTarget", "True", now=now, reason="DeletionByPodGC", message=message)
        return {**pod, "status": {**(pod.get("status") or {}), "phase": "Failed", "conditions": conditions}}
