"""The loop over ResourceQuotas. Their admission counts what comes; this loop counts what is gone, and everything anew.

A quota is counted again when it or its spec is new, when an object of its namespace is gone or uses less or more than
before, a while after somebody else has counted, and every five minutes.
"""

from kybern.client.controller import RequeueAfter
from kybern.client.informer import EventHandler
from kybern.client.resources import PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_CLAIMS, RESOURCE_QUOTAS, SERVICES
from kybern.client.store import NAMESPACE, by_namespace
from kybern.controllers.context import Context
from kybern.controllers.resourcequota.core import compute_status
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.quota.evaluators import Evaluator, evaluator
from kybern.kube.quota.total import evaluators_of

NAME = "resourcequota-controller"
MEASURED = (PODS, SERVICES, PERSISTENT_VOLUME_CLAIMS, RESOURCE_CLAIMS)
SOON, RECHECK, UNKNOWN, RESYNC = 0.05, 5.0, 2.0, 300.0  # seconds


class ResourceQuotaController:
    """One key is one quota."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._monitors = context.monitors
        self._quotas = context.informer(RESOURCE_QUOTAS, NAMESPACE)
        self._measured = {(r.group, r.resource): context.informer(r, NAMESPACE) for r in MEASURED}
        self._loop = context.controller(NAME, RESOURCE_QUOTAS, self.reconcile, watch=False)
        self._quotas.add_handler(EventHandler(on_add=self._quota_added, on_update=self._quota_updated))
        self._monitors.add_handler(EventHandler(on_delete=lambda obj, unknown: self._look(obj)))
        for of, informer in self._measured.items():
            informer.add_handler(self._use_handler(evaluator(*of)))

    async def run(self) -> None:
        await self._context.synced(RESOURCE_QUOTAS, *MEASURED)
        await self._monitors.wait_for_sync()
        await self._loop.run()

    # handlers

    def _quota_added(self, quota: Object) -> None:
        self._loop.queue.add(meta.key(quota))

    def _quota_updated(self, old: Object, new: Object) -> None:
        if old.get("spec") != new.get("spec"):
            self._loop.queue.add(meta.key(new))
        elif old.get("status") != new.get("status"):
            self._loop.queue.add_after(meta.key(new), RECHECK)  # what was counted may never have been made

    def _use_handler(self, known: Evaluator) -> EventHandler:
        def on_update(old: Object, new: Object) -> None:
            if self._has_quotas(new):
                now = self._context.clock.now()
                if known.usage(old, now) != known.usage(new, now):
                    self._look(new)

        return EventHandler(on_update=on_update)

    def _has_quotas(self, obj: Object) -> bool:
        return bool(self._quotas.store.by_index(NAMESPACE, meta.namespace(obj)))

    def _look(self, obj: Object) -> None:
        """Something of this namespace uses less, or more."""
        namespace = meta.namespace(obj)
        if namespace:
            for quota in self._quotas.store.by_index(NAMESPACE, namespace):
                self._loop.queue.add_after(meta.key(quota), SOON)

    # counting

    async def reconcile(self, key: str) -> RequeueAfter | None:
        quota = self._quotas.get(key)
        if quota is None or meta.is_deleting(quota):
            return None
        namespace = meta.namespace(quota)
        unknown = [e for e in evaluators_of(quota["spec"].get("hard") or {}) if self._find(e, namespace) is None]
        status = compute_status(quota, lambda g, r: self._find(evaluator(g, r), namespace), self._context.clock.now())
        if status is not None:
            await self._context.client.update_status(RESOURCE_QUOTAS, {**quota, "status": status})
        return RequeueAfter(UNKNOWN if unknown else RESYNC)

    def _find(self, known: Evaluator, namespace: str) -> list[Object] | None:
        """The objects of a kind; None if it is not served, or not listed yet."""
        of = (known.group, known.resource)
        informer = self._measured.get(of) or self._monitors.informer(*of)
        if informer is None or not informer.has_synced:
            return None
        informer.store.add_indexers({NAMESPACE: by_namespace})
        return informer.store.by_index(NAMESPACE, namespace)
