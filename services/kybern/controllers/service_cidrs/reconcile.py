"""The loop over ServiceCIDRs; a change of one, or an address that goes, concerns all that are being deleted."""

from kybern.client.controller import RequeueAfter
from kybern.client.informer import EventHandler, each
from kybern.client.resources import IP_ADDRESSES, SERVICE_CIDRS
from kybern.controllers.context import Context
from kybern.controllers.service_cidrs.core import FINALIZER, IN_USE, READY, may_go, seconds_left
from kybern.kube import meta
from kybern.kube.conditions import set_condition
from kybern.kube.meta import Object
from kybern.kube.status import allowing

NAME = "service-cidr-controller"


class ServiceCIDRController:
    """One key is one ServiceCIDR."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._cidrs = context.informer(SERVICE_CIDRS)
        self._addresses = context.informer(IP_ADDRESSES)
        self._loop = context.controller(NAME, SERVICE_CIDRS, self.reconcile)
        self._cidrs.add_handler(each(lambda cidr: self._look_at_ending()))
        self._addresses.add_handler(EventHandler(on_delete=lambda address, unknown: self._look_at_ending()))

    async def run(self) -> None:
        await self._context.synced(SERVICE_CIDRS, IP_ADDRESSES)
        await self._loop.run()

    def _look_at_ending(self) -> None:
        for cidr in self._cidrs.store.list():
            if meta.is_deleting(cidr):
                self._loop.queue.add(meta.key(cidr))

    async def reconcile(self, key: str) -> RequeueAfter | None:
        cidr = self._cidrs.get(key)
        if cidr is None:
            return None
        with allowing(404):
            if not meta.is_deleting(cidr):
                await self._keep(cidr)
            elif not may_go(cidr, self._cidrs.store.list(), self._addresses.store.list()):
                await self._set_ready(cidr, "False", "Terminating", IN_USE)
            elif (left := seconds_left(cidr, self._context.clock.now())) > 0:
                return RequeueAfter(left)
            elif FINALIZER in meta.finalizers(cidr):
                kept = [name for name in meta.finalizers(cidr) if name != FINALIZER]
                await self._client.update(SERVICE_CIDRS, {**cidr, "metadata": {**cidr["metadata"], "finalizers": kept}})
        return None

    async def _keep(self, cidr: Object) -> None:
        finalizers = meta.finalizers(cidr)
        if FINALIZER not in finalizers:
            metadata = {**cidr["metadata"], "finalizers": [*finalizers, FINALIZER]}
            cidr = await self._client.update(SERVICE_CIDRS, {**cidr, "metadata": metadata})
        await self._set_ready(cidr, "True", "", READY)

    async def _set_ready(self, cidr: Object, status: str, reason: str, message: str) -> None:
        conditions = [dict(c) for c in (cidr.get("status") or {}).get("conditions") or ()]
        now = self._context.clock.now()
        if set_condition(conditions, "Ready", status, now=now, reason=reason, message=message):
            for condition in conditions:
                condition.setdefault("reason", "")
            wanted = {**cidr, "status": {**(cidr.get("status") or {}), "conditions": conditions}}
            await self._client.update_status(SERVICE_CIDRS, wanted)
