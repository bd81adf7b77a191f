"""The DaemonSet controller: compare pods with nodes, replace outdated ones, write the status."""

import asyncio
from collections.abc import Mapping, Sequence

from kybern.client.controller import RequeueAfter
from kybern.client.events import WARNING
from kybern.client.informer import EventHandler
from kybern.client.resources import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from kybern.client.store import CONTROLLER, NAMESPACE
from kybern.controllers.claim import claim
from kybern.controllers.context import ORPHAN, Context
from kybern.controllers.core import pods as podlib
from kybern.controllers.core.expectations import Expectations
from kybern.controllers.core.history import HASH_LABEL
from kybern.controllers.daemonset.core.placement import Changes, by_node, compute_changes, for_node
from kybern.controllers.daemonset.core.rollout import compute_outdated, compute_status
from kybern.controllers.history import sync_update_revision, truncate
from kybern.controllers.pod_control import PodControl, first_error, is_namespace_terminating, slow_start_batch
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
        self._control = PodControl(context.client, self._events)
        self._expectations = Expectations()
        self._sets = context.informer(DAEMON_SETS, NAMESPACE)
        self._pods = context.informer(PODS, CONTROLLER, ORPHAN)
        self._nodes = context.informer(NODES)
        self._revisions = context.informer(CONTROLLER_REVISIONS, CONTROLLER)
        self._loop = context.controller(NAME, DAEMON_SETS, self.reconcile)
        self._pods.add_handler(EventHandler(self._pod_added, self._pod_updated, self._pod_deleted))
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

    def _key(self, pod: Object) -> str:
        ref = meta.controller_of(pod)
        return meta.join_key(meta.namespace(pod), ref["name"]) if ref and ref.get("kind") == "DaemonSet" else ""

    def _pod_added(self, pod: Object) -> None:
        key = self._key(pod)
        if key:
            self._expectations.creation_observed(key)
            self._loop.queue.add(key)

    def _pod_updated(self, old: Object, new: Object) -> None:
        key = self._key(new)
        if key:
            if meta.is_deleting(new):
                self._expectations.deletion_observed(key, meta.uid(new))
            self._loop.queue.add(key)

    def _pod_deleted(self, pod: Object, final_state_unknown: bool) -> None:
        key = self._key(pod)
        if key:
            self._expectations.deletion_observed(key, meta.uid(pod))
            self._loop.queue.add(key)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        daemon_set = self._sets.get(key)
        if daemon_set is None:
            self._expectations.forget(key)
            return None
        selector = from_label_selector(daemon_set["spec"].get("selector"))
        if selector.empty or meta.is_deleting(daemon_set):
            return None
        revisions = self._revisions.store.by_index(CONTROLLER, meta.uid(daemon_set))
        revision = await sync_update_revision(self._client, daemon_set, DAEMON_SETS, revisions)
        digest = meta.labels(revision)[HASH_LABEL]
        if not self._expectations.satisfied(key, asyncio.get_running_loop().time()):
            return None
        store = self._pods.store
        candidates = store.by_index(CONTROLLER, meta.uid(daemon_set)) + store.by_index(
            ORPHAN, meta.namespace(daemon_set)
        )
        pods = by_node(await claim(self._client, daemon_set, DAEMON_SETS, selector, candidates, PODS))
        nodes, now = self._nodes.store.list(), self._context.clock.now()
        changes = compute_changes(daemon_set, nodes, pods)
        if not changes.create and not changes.delete:
            changes = Changes(delete=compute_outdated(daemon_set, nodes, pods, digest, now))
        error = await self._apply(key, daemon_set, changes, digest)
        status = compute_status(daemon_set, nodes, pods, digest, now)
        if status != daemon_set.get("status"):
            await self._client.update_status(DAEMON_SETS, {**daemon_set, "status": status})
        if error is not None:
            raise error
        await self._truncate(daemon_set, revisions, pods, revision)
        waiting = daemon_set["spec"].get("minReadySeconds", 0)
        if waiting and status["numberReady"] != status.get("numberAvailable", 0):
            return RequeueAfter(float(waiting))
        return None

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
        now = asyncio.get_running_loop().time()
        self._expectations.expect(key, len(create), (meta.uid(pod) for pod in delete), now)
        template = podlib.pod_from_template(daemon_set["spec"]["template"], daemon_set)
        template["metadata"]["labels"] = {**template["metadata"].get("labels", {}), HASH_LABEL: digest}
        tried = 0

        async def create_on(number: int) -> None:
            nonlocal tried
            tried += 1
            try:
                await self._control.create(daemon_set, for_node(template, create[number]))
            except StatusError as error:
                self._expectations.creation_observed(key)
                if not is_namespace_terminating(error):
                    raise

        async def delete_one(pod: Object) -> None:
            try:
                await self._control.delete(daemon_set, pod)
            except StatusError as error:
                self._expectations.deletion_observed(key, meta.uid(pod))
                if error.code != 404:
                    raise

        _, error = await slow_start_batch(len(create), create_on)
        self._expectations.creation_observed(key, len(create) - tried)
        return error or await first_error([delete_one(pod) for pod in delete])
