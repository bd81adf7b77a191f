"""The loop over PodDisruptionBudgets; keys come from them and from the pods they select."""

from kybern.client.controller import RequeueAfter
from kybern.client.events import WARNING
from kybern.client.resources import (
    DEPLOYMENTS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
)
from kybern.client.store import NAMESPACE
from kybern.controllers.context import Context, when_changed
from kybern.controllers.disruption.core import UNMANAGED, NoScale, compute_status, counts_controllers, failed_status
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import from_label_selector
from kybern.kube.status import allowing

NAME, RECORDER = "disruption-controller", "controllermanager"
RESOURCES = (PODS, DEPLOYMENTS, REPLICA_SETS, REPLICATION_CONTROLLERS, STATEFUL_SETS, POD_DISRUPTION_BUDGETS)


class DisruptionController:
    """Counts pods for budgets."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._events, self._monitors = context.recorder(RECORDER), context.monitors
        self._budgets = context.informer(POD_DISRUPTION_BUDGETS, NAMESPACE)
        self._pods = context.informer(PODS, NAMESPACE)
        self._scaled = {resource.kind: context.informer(resource) for resource in RESOURCES[1:5]}
        self._loop = context.controller(NAME, POD_DISRUPTION_BUDGETS, self.reconcile)
        self._pods.add_handler(when_changed(self._pod_changed))

    async def run(self) -> None:
        await self._context.synced(*RESOURCES)
        await self._monitors.wait_for_sync()
        await self._loop.run()

    def _pod_changed(self, pod: Object) -> None:
        for budget in self._budgets.store.by_index(NAMESPACE, meta.namespace(pod)):
            if from_label_selector(budget["spec"].get("selector")).matches(meta.labels(pod)):
                self._loop.queue.add(meta.key(budget))

    async def reconcile(self, key: str) -> RequeueAfter | None:
        budget = self._budgets.get(key)
        if budget is None or meta.is_deleting(budget):
            return None
        selector = from_label_selector(budget["spec"].get("selector"))
        candidates = self._pods.store.by_index(NAMESPACE, meta.namespace(budget))
        pods = [pod for pod in candidates if selector.matches(meta.labels(pod))]
        now = self._context.clock.now()
        try:
            scales = await self._scales(pods) if counts_controllers(budget) else {}
            status, look_again = compute_status(budget, pods, scales, now)
        except NoScale as error:
            why = f"Failed to calculate the number of expected pods: {error}"
            self._events.event(budget, WARNING, "CalculateExpectedPodCountFailed", why)
            await self._write(budget, failed_status(budget, str(error), now))
            raise
        if counts_controllers(budget) and any(meta.controller_of(pod) is None for pod in pods):
            self._events.event(budget, WARNING, "UnmanagedPods", UNMANAGED.format(selector=selector))
        await self._write(budget, status)
        return RequeueAfter(look_again) if look_again is not None else None

    async def _write(self, budget: Object, status: Object) -> None:
        if status != budget.get("status"):
            await self._client.update_status(POD_DISRUPTION_BUDGETS, {**budget, "status": status})

    async def _scales(self, pods: list[Object]) -> dict[str, int]:
        """How many pods the controllers of these want, by uid; what is not known is left out."""
        found: dict[str, int] = {}
        for pod in pods:
            ref = meta.controller_of(pod)
            if ref is not None and ref["uid"] not in found:
                scale = await self._scale(ref, meta.namespace(pod))
                if scale is not None:
                    found[ref["uid"]] = scale
        return found

    async def _scale(self, ref: Object, namespace: str) -> int | None:
        """What one controller wants: a ReplicaSet's Deployment decides for it; others are asked for their scale."""
        owner = self._owner(ref, namespace)
        if owner is not None:
            above = self._owner(meta.controller_of(owner), namespace)
            return int((above or owner)["spec"].get("replicas", 1))
        resource = self._monitors.resource(meta.group_version(ref.get("apiVersion") or "v1")[0], ref["kind"])
        if resource is None or ref["kind"] in self._scaled:
            return None
        with allowing(404, 405):
            scale = await self._client.get(resource, ref["name"], namespace, subresource="scale")
            return int((scale.get("spec") or {}).get("replicas") or 0) if meta.uid(scale) == ref["uid"] else None
        return None

    def _owner(self, ref: Object | None, namespace: str) -> Object | None:
        informer = self._scaled.get(ref["kind"]) if ref is not None else None
        if ref is None or informer is None:
            return None
        owner = informer.get(meta.join_key(namespace, ref["name"]))
        return owner if owner is not None and meta.uid(owner) == ref["uid"] else None
