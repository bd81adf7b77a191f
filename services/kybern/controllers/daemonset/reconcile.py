"""The DaemonSet controller: compare pods with nodes, replace outdated ones, write the status."""

from collections.abc import Mapping, Sequence

from kybern.client.controller import RequeueAfter
from kybern.client.events import WARNING
from kybern.client.informer import EventHandler
from kybern.client.resources import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from kybern.client.store import CONTROLLER, NAMESPACE
from kybern.controllers.context import Context
from kybern.controllers.core import pods as podlib
from kybern.controllers.core.history import HASH_LABEL
from kybern.controllers.daemonset.core.failures import FailedPods
from kybern.controllers.daemonset.core.placement import Changes, by_node, compute_changes, for_node
from kybern.controllers.daemonset.core.rollout import compute_rollout, compute_status
from kybern.controllers.history import sync_update_revision, truncate
from kybern.controllers.owned_pods import OwnedPods
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import from_label_selector
from kybern.kube.status import StatusError

NAME = "daemonset-controller"
MAX_CHANGES = 250


class DaemonSetController:
    """The loop over DaemonSets."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._events = context.recorder(NAME)
        self._owned = OwnedPods(context, NAME, DAEMON_SETS)
        self._failures = FailedPods()
        self._sets = context.informer(DAEMON_SETS, NAMESPACE)
        self._nodes = context.informer(NODES)
        self._revisions = context.informer(CONTROLLER_REVISIONS, CONTROLLER)
        self._loop = context.controller(NAME, DAEMON_SETS, self.reconcile)
        self._owned.informer.add_handler(self._owned.handler(self._loop.queue.add))
        self._nodes.add_handler(
            EventHandler(lambda node: self._all(), self._node_updated, lambda node, unknown: self._all())
        )

    async def run(self) -> None:
        await self._context.synced(DAEMON_SETS, PODS, NODES, CONTROLLER_REVISIONS)
        await self._loop.run()

    def _all(self) -> None:
        for daemon_set in self._sets.store.list():
            self._loop.queue.add(meta.key(daemon_set))

    def _node_updated(self, old: Object, new: Object) -> None:
        if meta.labels(old) != meta.labels(new) or old.get("spec") != new.get("spec"):
            self._all()

    async def reconcile(self, key: str) -> RequeueAfter | None:
        daemon_set = self._sets.get(key)
        if daemon_set is None:
            self._owned.forget(key)
            self._failures.forget(key)
            return None
        selector = from_label_selector(daemon_set["spec"].get("selector"))
        if selector.empty or meta.is_deleting(daemon_set):
            return None
        revisions = self._revisions.store.by_index(CONTROLLER, meta.uid(daemon_set))
        revision = await sync_update_revision(self._client, daemon_set, DAEMON_SETS, revisions)
        digest = meta.labels(revision)[HASH_LABEL]
        if not self._owned.settled(key):
            return None
        pods = by_node(await self._owned.of(daemon_set, selector))
        nodes, now = self._nodes.store.list(), self._context.clock.now()
        wanted = compute_changes(daemon_set, nodes, pods, digest, now)
        changes, pause = self._failures.hold_back(key, meta.generation(daemon_set), wanted, now)
        if not changes.create and not changes.delete:
            changes = compute_rollout(daemon_set, nodes, pods, digest, now)
        error = await self._apply(key, daemon_set, changes, digest)
        status = compute_status(daemon_set, nodes, pods, digest, now)
        if status != daemon_set.get("status"):
            await self._client.update_status(DAEMON_SETS, {**daemon_set, "status": status})
        if error is not None:
            raise error
        await self._truncate(daemon_set, revisions, pods, revision)
        waits = [pause] if pause is not None else []
        min_ready = daemon_set["spec"].get("minReadySeconds", 0)
        here = (pod for there in pods.values() for pod in there if podlib.is_active(pod))
        if any(podlib.is_ready(pod) and not podlib.is_available(pod, min_ready, now) for pod in here):
            waits.append(float(min_ready))
        return RequeueAfter(min(waits)) if waits else None

    async def _truncate(
        self,
        daemon_set: Object,
        revisions: Sequence[Object],
        pods: Mapping[str, Sequence[Object]],
        newest: Object,
    ) -> None:
        hashes = {meta.labels(pod).get(HASH_LABEL) for there in pods.values() for pod in there}
        live = [meta.name(r) for r in revisions if r is newest or meta.labels(r).get(HASH_LABEL) in hashes]
        await truncate(self._client, daemon_set, revisions, live)

    async def _apply(self, key: str, daemon_set: Object, changes: Changes, digest: str) -> StatusError | None:
        create, delete = changes.create[:MAX_CHANGES], changes.delete[:MAX_CHANGES]
        if not create and not delete:
            return None
        for pod in changes.failed:
            message = f"Found failed daemon pod {meta.key(pod)} on node {podlib.node_name(pod)}, will try to kill it"
            self._events.event(daemon_set, WARNING, "FailedDaemonPod", message)
        template = podlib.pod_from_template(daemon_set["spec"]["template"], daemon_set)
        template["metadata"]["labels"] = {**template["metadata"].get("labels", {}), HASH_LABEL: digest}
        pods = [for_node(template, node) for node in create]
        return await self._owned.change(key, daemon_set, len(pods), pods.__getitem__, delete)
