"""The StatefulSet controller: revisions, then one step of the plan."""

from kybern.client.controller import RequeueAfter
from kybern.client.events import NORMAL, WARNING
from kybern.client.informer import EventHandler
from kybern.client.resources import CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS
from kybern.client.store import CONTROLLER, NAMESPACE
from kybern.controllers.claim import claim
from kybern.controllers.context import ORPHAN, Context
from kybern.controllers.core.history import template_of
from kybern.controllers.history import sync_update_revision, truncate
from kybern.controllers.pod_control import is_namespace_terminating
from kybern.controllers.statefulset.core.claims import claim_keys, with_owner
from kybern.controllers.statefulset.core.identity import make_claims, make_pod, ordinal_of, revision_of
from kybern.controllers.statefulset.core.plan import compute_plan
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import from_label_selector
from kybern.kube.status import StatusError, allowing

NAME = "statefulset-controller"


class StatefulSetController:
    """The loop over StatefulSets."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._events = context.recorder(NAME)
        self._sets = context.informer(STATEFUL_SETS, NAMESPACE)
        self._pods = context.informer(PODS, CONTROLLER, ORPHAN)
        self._claims = context.informer(PERSISTENT_VOLUME_CLAIMS)
        self._revisions = context.informer(CONTROLLER_REVISIONS, CONTROLLER)
        self._loop = context.controller(NAME, STATEFUL_SETS, self.reconcile)
        self._pods.add_handler(
            EventHandler(self._changed, lambda old, new: self._changed(new), lambda pod, unknown: self._changed(pod))
        )

    async def run(self) -> None:
        await self._context.synced(STATEFUL_SETS, PODS, PERSISTENT_VOLUME_CLAIMS, CONTROLLER_REVISIONS)
        await self._loop.run()

    def _changed(self, pod: Object) -> None:
        ref = meta.controller_of(pod)
        if ref is not None and ref.get("kind") == "StatefulSet":
            self._loop.queue.add(meta.join_key(meta.namespace(pod), ref["name"]))

    async def reconcile(self, key: str) -> RequeueAfter | None:
        stateful_set = self._sets.get(key)
        if stateful_set is None:
            return None
        selector = from_label_selector(stateful_set["spec"].get("selector"))
        store = self._pods.store
        orphans = store.by_index(ORPHAN, meta.namespace(stateful_set))
        candidates = [
            *store.by_index(CONTROLLER, meta.uid(stateful_set)),
            *(pod for pod in orphans if ordinal_of(stateful_set, pod) is not None),
        ]
        pods = await claim(self._client, stateful_set, STATEFUL_SETS, selector, candidates, PODS)
        revisions = self._revisions.store.by_index(CONTROLLER, meta.uid(stateful_set))
        update = await sync_update_revision(self._client, stateful_set, STATEFUL_SETS, revisions)
        named = (stateful_set.get("status") or {}).get("currentRevision")
        current = next((r for r in revisions if meta.name(r) == named), update)
        now = self._context.clock.now()
        plan = compute_plan(stateful_set, pods, meta.name(current), meta.name(update), now)
        if plan.status is not None:
            await self._client.update_status(STATEFUL_SETS, {**stateful_set, "status": plan.status})
        templates = {meta.name(r): template_of(r) for r in (current, update)}
        for pod in pods:
            await self._own_claims(stateful_set, pod)
        for ordinal, revision in plan.create:
            await self._create(stateful_set, make_pod(stateful_set, templates[revision], revision, ordinal), ordinal)
        for pod in plan.delete:
            await self._delete(stateful_set, pod)
        live = {meta.name(current), meta.name(update), *map(revision_of, pods)}
        await truncate(self._client, stateful_set, revisions, live)
        min_ready = stateful_set["spec"].get("minReadySeconds", 0)
        return RequeueAfter(float(min_ready)) if min_ready and not plan.create and not plan.delete and pods else None

    async def _create(self, stateful_set: Object, pod: Object, ordinal: int) -> None:
        name, set_name = meta.name(pod), meta.name(stateful_set)
        try:
            for wanted in make_claims(stateful_set, ordinal):
                owned = with_owner(wanted, stateful_set, None, ordinal) or wanted
                await self._claim_storage(stateful_set, owned, name)
            await self._client.create(PODS, pod)
        except StatusError as error:
            if error.reason == "AlreadyExists" or is_namespace_terminating(error):
                return  # made before, and not yet seen
            message = f"create Pod {name} in StatefulSet {set_name} failed error: {error.message}"
            self._events.event(stateful_set, WARNING, "FailedCreate", message)
            raise
        message = f"create Pod {name} in StatefulSet {set_name} successful"
        self._events.event(stateful_set, NORMAL, "SuccessfulCreate", message)

    async def _own_claims(self, stateful_set: Object, pod: Object) -> None:
        """Let a pod's claims go with what they are to go with."""
        ordinal = ordinal_of(stateful_set, pod)
        for key in claim_keys(stateful_set, ordinal) if ordinal is not None else ():
            claim = self._claims.get(key)
            changed = with_owner(claim, stateful_set, pod, ordinal or 0) if claim is not None else None
            if changed is not None:
                with allowing(404):
                    await self._client.update(PERSISTENT_VOLUME_CLAIMS, changed)

    async def _claim_storage(self, stateful_set: Object, wanted: Object, pod: str) -> None:
        if meta.key(wanted) in self._claims.store:
            return
        try:
            await self._client.create(PERSISTENT_VOLUME_CLAIMS, wanted)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
            return
        message = f"create Claim {meta.name(wanted)} Pod {pod} in StatefulSet {meta.name(stateful_set)} success"
        self._events.event(stateful_set, NORMAL, "SuccessfulCreate", message)

    async def _delete(self, stateful_set: Object, pod: Object) -> None:
        name, set_name = meta.name(pod), meta.name(stateful_set)
        try:
            await self._client.delete(PODS, name, meta.namespace(pod), uid=meta.uid(pod))
        except StatusError as error:
            if error.code in (404, 409):
                return
            message = f"delete Pod {name} in StatefulSet {set_name} failed error: {error.message}"
            self._events.event(stateful_set, WARNING, "FailedDelete", message)
            raise
        message = f"delete Pod {name} in StatefulSet {set_name} successful"
        self._events.event(stateful_set, NORMAL, "SuccessfulDelete", message)
