"""The Deployment controller: gather its ReplicaSets, work out one step (`core.plan`), carry it out."""

from collections.abc import Sequence

from kybern.client.controller import RequeueAfter
from kybern.client.events import NORMAL, WARNING
from kybern.client.informer import EventHandler
from kybern.client.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from kybern.client.store import CONTROLLER, NAMESPACE
from kybern.controllers.claim import claim
from kybern.controllers.context import ORPHAN, Context
from kybern.controllers.deployment.core.model import REVISION, equal_ignoring_hash, progress_deadline, spec_replicas
from kybern.controllers.deployment.core.plan import Plan, Update, compute_plan
from kybern.controllers.deployment.core.status import PROGRESSING, condition, conditions_of, with_condition
from kybern.controllers.pod_control import is_namespace_terminating
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import from_label_selector
from kybern.kube.status import StatusError, allowing

NAME = "deployment-controller"


class DeploymentController:
    """The loop over Deployments."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._events = context.recorder(NAME)
        self._deployments = context.informer(DEPLOYMENTS, NAMESPACE)
        self._replica_sets = context.informer(REPLICA_SETS, NAMESPACE, CONTROLLER, ORPHAN)
        self._pods = context.informer(PODS, CONTROLLER, ORPHAN)
        self._loop = context.controller(NAME, DEPLOYMENTS, self.reconcile)
        self._replica_sets.add_handler(
            EventHandler(self._changed, self._updated, lambda obj, unknown: self._changed(obj))
        )
        self._pods.add_handler(EventHandler(on_delete=self._pod_deleted))

    async def run(self) -> None:
        await self._context.synced(DEPLOYMENTS, REPLICA_SETS, PODS)
        await self._loop.run()

    def _updated(self, old: Object, new: Object) -> None:
        if meta.controller_of(old) != meta.controller_of(new):
            self._changed(old)
        self._changed(new)

    def _changed(self, rs: Object) -> None:
        ref = meta.controller_of(rs)
        if ref is not None:
            if ref.get("kind") == "Deployment":
                self._loop.queue.add(meta.join_key(meta.namespace(rs), ref["name"]))
            return
        for deployment in self._deployments.store.by_index(NAMESPACE, meta.namespace(rs)):
            if from_label_selector(deployment["spec"].get("selector")).matches(meta.labels(rs)):
                self._loop.queue.add(meta.key(deployment))

    def _pod_deleted(self, pod: Object, final_state_unknown: bool) -> None:
        """The last old pod is gone: a Recreate rollout goes on."""
        ref = meta.controller_of(pod)
        rs = self._replica_sets.get(meta.join_key(meta.namespace(pod), ref["name"])) if ref else None
        if rs is not None:
            self._changed(rs)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        deployment = self._deployments.get(key)
        if deployment is None:
            return None
        selector = from_label_selector(deployment["spec"].get("selector"))
        if selector.empty:
            self._events.event(
                deployment,
                WARNING,
                "SelectingAll",
                "This deployment is selecting all pods. A non-empty selector is required.",
            )
            return None
        store = self._replica_sets.store
        candidates = store.by_index(CONTROLLER, meta.uid(deployment)) + store.by_index(
            ORPHAN, meta.namespace(deployment)
        )
        replica_sets = await claim(self._client, deployment, DEPLOYMENTS, selector, candidates, REPLICA_SETS)
        pods = {meta.uid(rs): self._pods.store.by_index(CONTROLLER, meta.uid(rs)) for rs in replica_sets}
        plan = compute_plan(deployment, replica_sets, pods, self._context.clock.now())
        await self._apply(deployment, plan)
        return RequeueAfter(plan.look_again) if plan.look_again is not None else None

    async def _apply(self, deployment: Object, plan: Plan) -> None:
        if plan.create is not None and not await self._create(deployment, plan.create):
            return
        for update in plan.updates:
            await self._update(deployment, update)
        await self._delete(plan.deletes)
        await self._write_status(deployment, plan)

    async def _write_status(self, deployment: Object, plan: Plan) -> None:
        """Status and revision in one write: with the status, an annotation makes no new generation."""
        metadata = deployment["metadata"]
        if plan.revision is not None:
            metadata = {**metadata, "annotations": {**meta.annotations(deployment), REVISION: plan.revision}}
        elif plan.status is None:
            return
        status = plan.status if plan.status is not None else deployment.get("status") or {}
        await self._client.update_status(DEPLOYMENTS, {**deployment, "metadata": metadata, "status": status})

    async def _create(self, deployment: Object, rs: Object) -> bool:
        """Create the new ReplicaSet; False when there is none: after a name collision, which is counted."""
        try:
            await self._client.create(REPLICA_SETS, rs)
        except StatusError as error:
            if error.code == 409 and error.reason == "AlreadyExists":
                return await self._collided(deployment, rs)
            if is_namespace_terminating(error):
                return False  # nothing can be made there any more
            await self._failed_create(deployment, error)
            raise
        if spec_replicas(rs):
            self._scaled(deployment, rs, 0)
        return True

    async def _collided(self, deployment: Object, rs: Object) -> bool:
        existing = await self._client.get(REPLICA_SETS, meta.name(rs), meta.namespace(rs))
        if meta.is_controlled_by(existing, deployment) and equal_ignoring_hash(
            existing["spec"]["template"], rs["spec"]["template"]
        ):
            return True  # ours, and not yet seen by the informer
        status: Object = deployment.get("status") or {}
        status = {**status, "collisionCount": status.get("collisionCount", 0) + 1}
        await self._client.update_status(DEPLOYMENTS, {**deployment, "status": status})
        return False

    async def _failed_create(self, deployment: Object, error: StatusError) -> None:
        message = f'Failed to create new replica set "{meta.name(deployment)}": {error.message}'
        self._events.event(deployment, WARNING, "ReplicaSetCreateError", message)
        if progress_deadline(deployment) is None:
            return
        failed = condition(PROGRESSING, "False", "ReplicaSetCreateError", error.message, self._context.clock.now())
        conditions = with_condition(conditions_of(deployment), failed)
        if conditions != conditions_of(deployment):
            status = {**(deployment.get("status") or {}), "conditions": conditions}
            await self._client.update_status(DEPLOYMENTS, {**deployment, "status": status})

    async def _update(self, deployment: Object, update: Update) -> None:
        await self._client.update(REPLICA_SETS, update.replica_set)
        if spec_replicas(update.replica_set) != update.was:
            self._scaled(deployment, update.replica_set, update.was)

    def _scaled(self, deployment: Object, rs: Object, was: int) -> None:
        size = spec_replicas(rs)
        direction = "up" if size > was else "down"
        message = f"Scaled {direction} replica set {meta.name(rs)} from {was} to {size}"
        self._events.event(deployment, NORMAL, "ScalingReplicaSet", message)

    async def _delete(self, replica_sets: Sequence[Object]) -> None:
        for rs in replica_sets:
            with allowing(404):
                await self._client.delete(REPLICA_SETS, meta.name(rs), meta.namespace(rs), uid=meta.uid(rs))
