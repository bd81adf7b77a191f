"""The loop over pods on tainted nodes; keys come from pods that are bound and from nodes whose taints change."""

from datetime import datetime

from kybern.client.controller import RequeueAfter
from kybern.client.events import NORMAL
from kybern.client.informer import EventHandler
from kybern.client.resources import NODES, PODS
from kybern.client.store import NODE
from kybern.controllers.context import Context
from kybern.controllers.core.pods import is_terminal, node_name
from kybern.controllers.taint_eviction.core import eviction_time, no_execute_taints
from kybern.kube import meta
from kybern.kube.conditions import set_condition
from kybern.kube.meta import Object
from kybern.kube.status import allowing

NAME = "taint-eviction-controller"
REASON, MESSAGE = "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"


class TaintEvictionController:
    """One key is one pod."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._events = context.recorder(NAME)
        self._nodes = context.informer(NODES)
        self._pods = context.informer(PODS, NODE)
        self._loop = context.controller(NAME, PODS, self.reconcile, watch=False)
        self._pods.add_handler(EventHandler(self._pod_changed, self._pod_updated, lambda pod, _: self._gone(pod)))
        self._nodes.add_handler(EventHandler(self._node_added, self._node_updated))
        self._first_seen: dict[str, datetime] = {}  # by pod uid: when taints were first seen on its node

    async def run(self) -> None:
        await self._context.synced(NODES, PODS)
        await self._loop.run()

    def _pod_changed(self, pod: Object) -> None:
        node = self._nodes.get(node_name(pod))
        if node is not None and no_execute_taints(node):
            self._loop.queue.add(meta.key(pod))

    def _pod_updated(self, old: Object, new: Object) -> None:
        if old.get("spec") != new.get("spec"):
            self._pod_changed(new)

    def _gone(self, pod: Object) -> None:
        self._first_seen.pop(meta.uid(pod), None)

    def _node_added(self, node: Object) -> None:
        if no_execute_taints(node):
            self._add_pods(node)

    def _node_updated(self, old: Object, new: Object) -> None:
        if no_execute_taints(old) != no_execute_taints(new):
            self._add_pods(new)

    def _add_pods(self, node: Object) -> None:
        for pod in self._pods.store.by_index(NODE, meta.name(node)):
            self._loop.queue.add(meta.key(pod))

    async def reconcile(self, key: str) -> RequeueAfter | None:
        pod = self._pods.get(key)
        if pod is None or meta.is_deleting(pod) or is_terminal(pod):
            return None
        node = self._nodes.get(node_name(pod))
        taints = no_execute_taints(node) if node is not None else []
        if not taints:
            if self._first_seen.pop(meta.uid(pod), None) is not None:
                self._events.event(pod, NORMAL, "TaintManagerEviction", f"Cancelling deletion of Pod {key}")
            return None
        now = self._context.clock.now()
        when = eviction_time(pod, taints, self._first_seen.setdefault(meta.uid(pod), now))
        if when is None:
            return None
        if when > now:
            return RequeueAfter((when - now).total_seconds())
        await self._evict(key, pod)
        return None

    async def _evict(self, key: str, pod: Object) -> None:
        self._events.event(pod, NORMAL, "TaintManagerEviction", f"Marking for deletion Pod {key}")
        conditions = [dict(c) for c in (pod.get("status") or {}).get("conditions") or []]
        now = self._context.clock.now()
        changed = set_condition(conditions, "DisruptionTarget", "True", now=now, reason=REASON, message=MESSAGE)
        with allowing(404):
            if changed:
                status = {**(pod.get("status") or {}), "conditions": conditions}
                await self._client.update_status(PODS, {**pod, "status": status})
            await self._client.delete(PODS, meta.name(pod), meta.namespace(pod), uid=meta.uid(pod))
