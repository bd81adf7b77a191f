"""The garbage collector: look at an object's owners live, then leave it, cut references, or delete it.

Keys of both queues are uids of nodes in the graph. An answer from the apiserver, never the graph alone, condemns an
object; its uid and resourceVersion are preconditions of every deletion.
"""

import asyncio
from collections import OrderedDict

from kybern.client.controller import Controller
from kybern.client.informer import EventHandler
from kybern.controllers.context import Context
from kybern.controllers.garbage_collector.core import OwnerState, Verdict, decide, is_waiting_for_dependents
from kybern.controllers.garbage_collector.graph import FOREGROUND, ORPHAN, Graph, Identity, Look, Node, unreferenced
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError, allowing

WORKERS = 20
ABSENT_OWNERS = 500
REMEMBERED_CAUSES = 4096


class UnknownKind(Exception):
    """A reference to a kind that is not served (yet): looked at again with back-off."""


class GarbageCollector:
    """One graph, two queues."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._graph = Graph()
        self._absent: OrderedDict[tuple[str, str, str], None] = OrderedDict()  # uid, namespace, name
        self._causes: OrderedDict[str, str] = OrderedDict()  # uid → trace context of its owner's deletion
        self._monitors = context.monitors
        self._monitors.add_handler(
            EventHandler(self._seen, lambda old, new: self._seen(new), lambda obj, unknown: self._gone(obj))
        )
        self._deletions = Controller(
            "garbage_collector_attempt_to_delete",
            self.attempt_to_delete,
            context.telemetry,
            traceparent=self._traceparent,
            workers=WORKERS,
        )
        self._orphans = Controller(
            "garbage_collector_attempt_to_orphan",
            self.attempt_to_orphan,
            context.telemetry,
            traceparent=self._traceparent,
            workers=WORKERS,
        )

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            await self._monitors.wait_for_sync()
            tasks.create_task(self._deletions.run())
            tasks.create_task(self._orphans.run())

    # handlers

    def _seen(self, obj: Object) -> None:
        self._look(self._graph.observe(obj))

    def _gone(self, obj: Object) -> None:
        resource = self._monitors.resource(meta.group_version(meta.api_version(obj))[0], meta.kind(obj))
        self._look(self._graph.remove(meta.uid(obj)), self._monitors.traceparent(resource, meta.key(obj)))

    def _look(self, look: Look, cause: str = "") -> None:
        for uid in look.delete:
            if cause:
                self._causes[uid] = cause
                if len(self._causes) > REMEMBERED_CAUSES:
                    self._causes.popitem(last=False)
            self._deletions.queue.add(uid)
        for uid in look.orphan:
            self._orphans.queue.add(uid)

    def _traceparent(self, uid: str) -> str:
        cause = self._causes.pop(uid, "")
        node = self._graph.nodes.get(uid)
        if cause or node is None:
            return cause
        identity = node.identity
        resource = self._monitors.resource(meta.group_version(identity.api_version)[0], identity.kind)
        return self._monitors.traceparent(resource, meta.join_key(identity.namespace, identity.name))

    # deleting

    async def attempt_to_delete(self, uid: str) -> None:
        node = self._graph.nodes.get(uid)
        if node is None or (node.deleting and not node.foreground):
            return
        obj = await self._live(node.identity)
        if obj is None:
            self._look(self._graph.remove(uid) if not node.virtual else self._remove_virtual(uid))
            return
        if node.virtual:
            return  # it is there: its own event makes it real
        if node.foreground:
            await self._continue_foreground(node, obj)
            return
        refs = meta.owner_references(obj)
        states = await asyncio.gather(*(self._owner_state(node.identity, ref) for ref in refs))
        dependents = self._graph.dependents(uid)
        circular = any(dependent.foreground for dependent in dependents)
        verdict = decide(obj, [*zip(refs, states, strict=True)], len(dependents), circular)
        await self._execute(node.identity, obj, verdict)

    def _remove_virtual(self, uid: str) -> Look:
        """A virtual owner does not exist: its dependents have to be looked at; it stays while they name it."""
        node = self._graph.nodes[uid]
        return Look(tuple(node.dependents))

    async def _continue_foreground(self, node: Node, obj: Object) -> None:
        uid = node.identity.uid
        blocking = self._graph.blocking_dependents(uid)
        if not blocking:
            await self._remove_finalizer(node.identity, obj, FOREGROUND)
            return
        for dependent in blocking:
            if not self._graph.nodes[dependent].foreground:
                self._deletions.queue.add(dependent)

    async def _owner_state(self, dependent: Identity, ref: Object) -> OwnerState:
        where = (ref.get("uid", ""), dependent.namespace, ref.get("name", ""))
        if where in self._absent:
            return OwnerState.DANGLING
        identity = Identity(ref.get("apiVersion", ""), ref.get("kind", ""), *where[1:], where[0])
        resource = self._monitors.resource(meta.group_version(identity.api_version)[0], identity.kind)
        if resource is not None and resource.namespaced and not dependent.namespace:
            return OwnerState.SOLID  # a cluster-scoped object cannot name an owner in a namespace: left alone
        owner = await self._live(identity)
        if owner is None:
            self._absent[where] = None
            if len(self._absent) > ABSENT_OWNERS:
                self._absent.popitem(last=False)
            return OwnerState.DANGLING
        return OwnerState.WAITING if is_waiting_for_dependents(owner) else OwnerState.SOLID

    async def _live(self, identity: Identity) -> Object | None:
        """The object itself, not another of its name; None if it does not exist. Raises UnknownKind, StatusError."""
        resource = self._monitors.resource(meta.group_version(identity.api_version)[0], identity.kind)
        if resource is None:
            raise UnknownKind(f"{identity.api_version} {identity.kind}")
        try:
            obj = await self._client.get(resource, identity.name, identity.namespace)
        except StatusError as error:
            if error.code != 404:
                raise
            return None
        return obj if meta.uid(obj) == identity.uid else None

    async def _execute(self, identity: Identity, obj: Object, verdict: Verdict) -> None:
        if verdict.references is not None:
            await self._patch(identity, obj, {"ownerReferences": [*verdict.references]})
        if verdict.unblock:
            refs = [{**ref, "blockOwnerDeletion": False} for ref in meta.owner_references(obj)]
            obj = await self._patch(identity, obj, {"ownerReferences": refs}) or obj
        if verdict.delete:
            resource = self._monitors.resource(meta.group_version(identity.api_version)[0], identity.kind)
            assert resource is not None
            with allowing(404):
                await self._client.delete(
                    resource,
                    identity.name,
                    identity.namespace,
                    uid=identity.uid,
                    resource_version=meta.resource_version(obj),
                    propagation_policy=verdict.delete,
                )

    # orphaning

    async def attempt_to_orphan(self, uid: str) -> None:
        node = self._graph.nodes.get(uid)
        if node is None or not node.orphan:
            return
        await asyncio.gather(*(self._release(dependent, uid) for dependent in self._graph.dependents(uid)))
        owner = await self._live(node.identity)
        if owner is not None:
            await self._remove_finalizer(node.identity, owner, ORPHAN)

    async def _release(self, dependent: Node, owner: str) -> None:
        obj = await self._live(dependent.identity)
        if obj is None:
            return
        kept = unreferenced(meta.owner_references(obj), [owner])
        if len(kept) < len(meta.owner_references(obj)):
            await self._patch(dependent.identity, obj, {"ownerReferences": kept})

    # writing

    async def _remove_finalizer(self, identity: Identity, obj: Object, finalizer: str) -> None:
        left = [f for f in meta.finalizers(obj) if f != finalizer]
        if len(left) < len(meta.finalizers(obj)):
            await self._patch(identity, obj, {"finalizers": left or None})

    async def _patch(self, identity: Identity, obj: Object, metadata: Object) -> Object | None:
        """Merge into metadata, if the object is unchanged; None when it is gone."""
        resource = self._monitors.resource(meta.group_version(identity.api_version)[0], identity.kind)
        assert resource is not None
        guard = {"uid": identity.uid, "resourceVersion": meta.resource_version(obj)}
        try:
            return await self._client.patch(
                resource, identity.name, identity.namespace, patch={"metadata": {**guard, **metadata}}
            )
        except StatusError as error:
            if error.code != 404:
                raise
            return None
