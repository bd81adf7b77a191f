"""The namespace controller: delete the contents of a deleted namespace, pods first, then release the namespace."""

import asyncio

from kybern.client.controller import RequeueAfter
from kybern.client.discovery import ServedResource, get_resources
from kybern.client.informer import EventHandler
from kybern.client.resources import NAMESPACES, PODS, Resource
from kybern.controllers.context import Context
from kybern.controllers.namespace.core import (
    FINALIZER,
    Remains,
    compute_conditions,
    count_finalizers,
    longest_grace,
    seconds_to_wait,
)
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError, allowing

NAME = "namespace-controller"


class NamespaceController:
    """The loop over namespaces that are being deleted."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._namespaces = context.informer(NAMESPACES)
        self._loop = context.controller(NAME, NAMESPACES, self.reconcile)
        context.informer(PODS).add_handler(EventHandler(on_delete=self._pod_deleted))

    async def run(self) -> None:
        await self._context.synced(NAMESPACES)
        await self._loop.run()

    def _pod_deleted(self, pod: Object, final_state_unknown: bool) -> None:
        namespace = self._namespaces.get(meta.namespace(pod))
        if namespace is not None and meta.is_deleting(namespace):
            self._loop.queue.add(meta.namespace(pod))

    async def reconcile(self, key: str) -> RequeueAfter | None:
        namespace = self._namespaces.get(key)
        if namespace is None or not meta.is_deleting(namespace):
            return None
        if FINALIZER not in (namespace["spec"].get("finalizers") or ()):
            return None
        remains = await self._delete_contents(key)
        if remains.nothing:
            await self._finalize(key)
            return None
        await self._write_status(key, remains)
        if remains.errors or remains.discovery_error:
            raise RuntimeError("; ".join((*remains.errors, remains.discovery_error)))
        return RequeueAfter(seconds_to_wait(remains))

    async def _delete_contents(self, namespace: str) -> Remains:
        try:
            served = await get_resources(self._context.channel)
        except StatusError as error:
            return Remains({}, {}, discovery_error=error.message)
        pods = await self._delete_all(ServedResource(PODS, frozenset({"deletecollection", "list"})), namespace)
        if not pods.nothing:
            return pods
        deletable = [s for s in served if s.resource.namespaced and {"delete", "list"} <= s.verbs and not _is_pods(s)]
        found = await asyncio.gather(*(self._delete_all(entry, namespace) for entry in deletable))
        return _sum(found)

    async def _delete_all(self, served: ServedResource, namespace: str) -> Remains:
        """Delete a collection; what is left of it afterwards."""
        resource = served.resource
        try:
            if "deletecollection" in served.verbs:
                await self._client.delete_collection(resource, namespace, propagation_policy="Background")
                left = (await self._client.list(resource, namespace)).items
            else:
                left = (await self._client.list(resource, namespace)).items
                for obj in left:
                    await self._delete(resource, obj)
        except StatusError as error:
            if error.code in (404, 405):
                return Remains({}, {})
            return Remains({}, {}, (f"{resource}: {error.message}",))
        if not left:
            return Remains({}, {})
        grace = longest_grace(left) if resource == PODS else 0
        return Remains(
            {f"{resource.resource}.{resource.group}": len(left)}, count_finalizers(left), grace_seconds=grace
        )

    async def _delete(self, resource: Resource, obj: Object) -> None:
        with allowing(404, 409):
            await self._client.delete(
                resource, meta.name(obj), meta.namespace(obj), propagation_policy="Background", uid=meta.uid(obj)
            )

    async def _write_status(self, name: str, remains: Remains) -> None:
        namespace = await self._client.get(NAMESPACES, name)
        conditions = compute_conditions(namespace, remains, self._context.clock.now())
        status = {**(namespace.get("status") or {}), "phase": "Terminating", "conditions": conditions}
        if status != namespace.get("status"):
            await self._client.update_status(NAMESPACES, {**namespace, "status": status})

    async def _finalize(self, name: str) -> None:
        """Take the finalizer away. It is looked at again first: the cached one may be old."""
        with allowing(404):
            namespace = await self._client.get(NAMESPACES, name)
            left = [f for f in namespace["spec"].get("finalizers") or () if f != FINALIZER]
            spec = {**namespace["spec"], "finalizers": left}
            await self._client.update(NAMESPACES, {**namespace, "spec": spec}, subresource="finalize")


def _is_pods(served: ServedResource) -> bool:
    return (served.resource.group, served.resource.resource) == ("", "pods")


def _sum(found: list[Remains]) -> Remains:
    finalizers: dict[str, int] = {}
    for remains in found:
        for name, count in remains.finalizers.items():
            finalizers[name] = finalizers.get(name, 0) + count
    return Remains(
        {name: count for remains in found for name, count in remains.instances.items()},
        finalizers,
        tuple(error for remains in found for error in remains.errors),
    )
