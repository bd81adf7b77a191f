"""The ReplicaSet controller: count active pods, create or delete the difference, write the status.

Pods come and go in batches of at most 500; creations start slowly and double, so that a refusal is met with few. The
informer lags behind the controller's own writes: until these have come back (`Expectations`) nothing more is done.
"""

from collections.abc import Sequence

from kybern.client.controller import RequeueAfter
from kybern.client.informer import EventHandler
from kybern.client.resources import PODS
from kybern.client.store import CONTROLLER, NAMESPACE
from kybern.controllers.context import Context, Runnable
from kybern.controllers.core import pods
from kybern.controllers.owned_pods import OwnedPods
from kybern.controllers.replicaset.core.ranking import pods_to_delete
from kybern.controllers.replicaset.core.status import compute_status
from kybern.controllers.replicaset.flavor import REPLICA_SET, REPLICATION_CONTROLLER, Flavor
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import from_labels
from kybern.kube.status import StatusError

BURST_REPLICAS = 500


class ReplicaSetController:
    """One loop over the ReplicaSets, or the ReplicationControllers."""

    def __init__(self, context: Context, flavor: Flavor = REPLICA_SET) -> None:
        self._context = context
        self._flavor = flavor
        self._client = context.client
        self._owned = OwnedPods(context, flavor.name, flavor.resource)
        self._owners = context.informer(flavor.resource, NAMESPACE, CONTROLLER)
        self._pods = self._owned.informer
        self._loop = context.controller(flavor.name, flavor.resource, self.reconcile)
        self._pods.add_handler(EventHandler(self._pod_added, self._pod_updated, self._pod_deleted))

    async def run(self) -> None:
        await self._context.synced(self._flavor.resource, PODS)
        await self._loop.run()

    # handlers

    def _pod_added(self, pod: Object) -> None:
        if meta.is_deleting(pod):
            self._pod_deleted(pod, False)
            return
        key = self._owned.observe_creation(pod)
        if key:
            self._loop.queue.add(key)
        elif meta.controller_of(pod) is None:
            self._enqueue_adopters(pod)

    def _pod_updated(self, old: Object, new: Object) -> None:
        if meta.is_deleting(new):
            self._pod_deleted(new, False)
            return
        old_key, key = self._owned.owner_key(old), self._owned.owner_key(new)
        if old_key and old_key != key:
            self._loop.queue.add(old_key)
        if key:
            self._loop.queue.add(key)
            if not pods.is_ready(old) and pods.is_ready(new):
                min_ready = self._min_ready_seconds(key)
                if min_ready:
                    self._loop.queue.add_after(key, min_ready + 1.0)
        elif meta.controller_of(new) is None and (
            meta.labels(old) != meta.labels(new) or meta.controller_of(old) is not None
        ):
            self._enqueue_adopters(new)

    def _pod_deleted(self, pod: Object, final_state_unknown: bool) -> None:
        key = self._owned.observe_deletion(pod)
        if key:
            self._loop.queue.add(key)

    def _enqueue_adopters(self, pod: Object) -> None:
        for owner in self._owners.store.by_index(NAMESPACE, meta.namespace(pod)):
            if self._flavor.selector(owner).matches(meta.labels(pod)):
                self._loop.queue.add(meta.key(owner))

    def _min_ready_seconds(self, key: str) -> int:
        owner = self._owners.get(key)
        return owner["spec"].get("minReadySeconds", 0) if owner is not None else 0

    # reconcile

    async def reconcile(self, key: str) -> RequeueAfter | None:
        owner = self._owners.get(key)
        if owner is None:
            self._owned.forget(key)
            return None
        ready_to_count = self._owned.settled(key)
        mine = await self._owned.of(owner, self._flavor.selector(owner))
        active = [pod for pod in mine if pods.is_active(pod)]
        terminating = sum(pods.is_terminating(pod) for pod in mine) if self._flavor.counts_terminating else None
        failure: tuple[str, str] | None = None
        error: StatusError | None = None
        if ready_to_count and not meta.is_deleting(owner):
            missing = owner["spec"].get("replicas", 1) - len(active)
            error = await self._manage_replicas(key, owner, active, missing)
            if error is not None:
                failure = ("FailedCreate" if missing > 0 else "FailedDelete", error.message)
        await self._write_status(owner, active, terminating, failure)
        if error is not None:
            raise error
        return self._look_again(owner, active)

    async def _manage_replicas(
        self, key: str, owner: Object, active: Sequence[Object], missing: int
    ) -> StatusError | None:
        if missing > 0:
            pod = pods.pod_from_template(owner["spec"]["template"], owner)
            return await self._owned.create(key, owner, min(missing, BURST_REPLICAS), lambda number: pod)
        if missing < 0:
            victims = pods_to_delete(
                active, self._related_pods(owner), min(-missing, BURST_REPLICAS), self._context.clock.now()
            )
            return await self._owned.delete(key, owner, victims)
        return None

    def _related_pods(self, owner: Object) -> list[Object]:
        """The pods of all ReplicaSets with the same controller, which is a Deployment."""
        ref = meta.controller_of(owner)
        siblings = self._owners.store.by_index(CONTROLLER, ref["uid"]) if ref else [owner]
        return [pod for rs in siblings for pod in self._pods.store.by_index(CONTROLLER, meta.uid(rs))]

    async def _write_status(
        self, owner: Object, active: Sequence[Object], terminating: int | None, failure: tuple[str, str] | None
    ) -> None:
        labels = from_labels((owner["spec"]["template"].get("metadata") or {}).get("labels"))
        status = compute_status(owner, labels, active, terminating, failure, self._context.clock.now())
        if status != owner.get("status"):
            await self._client.update_status(self._flavor.resource, {**owner, "status": status})

    def _look_again(self, owner: Object, active: Sequence[Object]) -> RequeueAfter | None:
        """In minReadySeconds, if pods are ready and not yet available."""
        min_ready = owner["spec"].get("minReadySeconds", 0)
        now = self._context.clock.now()
        if min_ready and any(pods.is_ready(pod) and not pods.is_available(pod, min_ready, now) for pod in active):
            return RequeueAfter(float(min_ready))
        return None


def replica_set_controller(context: Context) -> Runnable:
    return ReplicaSetController(context, REPLICA_SET)


def replication_controller(context: Context) -> Runnable:
    return ReplicaSetController(context, REPLICATION_CONTROLLER)
