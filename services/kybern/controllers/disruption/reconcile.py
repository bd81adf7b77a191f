"""The loop over PodDisruptionBudgets; keys come from them and from the pods they select."""

from kybern.client.controller import RequeueAfter
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
from kybern.controllers.disruption.core import compute_status
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import from_label_selector

NAME = "disruption-controller"
RESOURCES = (PODS, DEPLOYMENTS, REPLICA_SETS, REPLICATION_CONTROLLERS, STATEFUL_SETS, POD_DISRUPTION_BUDGETS)


class DisruptionController:
    """Counts pods for budgets."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._budgets = context.informer(POD_DISRUPTION_BUDGETS, NAMESPACE)
        self._pods = context.informer(PODS, NAMESPACE)
        self._scaled = {resource.kind: context.informer(resource) for resource in RESOURCES[1:5]}
        self._loop = context.controller(NAME, POD_DISRUPTION_BUDGETS, self.reconcile)
        self._pods.add_handler(when_changed(self._pod_changed))

    async def run(self) -> None:
        await self._context.synced(*RESOURCES)
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
        scales = {uid: scale for pod in pods for uid, scale in self._scale(pod)}
        status, look_again = compute_status(budget, pods, scales, self._context.clock.now())
        if status != budget.get("status"):
            await self._context.client.update_status(POD_DISRUPTION_BUDGETS, {**budget, "status": status})
        return RequeueAfter(look_again) if look_again is not None else None

    def _scale(self, pod: Object) -> list[tuple[str, int]]:
        """How many pods the controller of this one wants: a ReplicaSet's Deployment decides for it."""
        ref = meta.controller_of(pod)
        owner = self._owner(ref, meta.namespace(pod))
        if ref is None or owner is None:
            return []
        above = self._owner(meta.controller_of(owner), meta.namespace(pod))
        return [(ref["uid"], int((above or owner)["spec"].get("replicas", 1)))]

    def _owner(self, ref: Object | None, namespace: str) -> Object | None:
        informer = self._scaled.get(ref["kind"]) if ref is not None else None
        if ref is None or informer is None:
            return None
        owner = informer.get(meta.join_key(namespace, ref["name"]))
        return owner if owner is not None and meta.uid(owner) == ref["uid"] else None
