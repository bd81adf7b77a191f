"""The Job controller: gather the pods of a Job, work out one step (`core.plan`), carry it out."""

import asyncio
from collections.abc import Sequence

from kybern.client.controller import RequeueAfter
from kybern.client.informer import EventHandler
from kybern.client.objects import JSON_PATCH
from kybern.client.resources import JOBS, PODS
from kybern.client.store import CONTROLLER, NAMESPACE
from kybern.controllers.claim import claim
from kybern.controllers.context import ORPHAN, Context
from kybern.controllers.core import pods as podlib
from kybern.controllers.core.expectations import Expectations
from kybern.controllers.job.core.indexes import with_index
from kybern.controllers.job.core.plan import FINALIZER, JobPlan, compute_plan
from kybern.controllers.pod_control import PodControl, first_error, is_namespace_terminating, slow_start_batch
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import from_label_selector
from kybern.kube.status import StatusError

NAME = "job-controller"
MAX_CREATIONS = 500
TRACKED = "tracked-by-job"


def by_tracking_job(pod: Object) -> tuple[str, ...]:
    """The key of the Job that is to count the pod when it ends."""
    ref = meta.controller_of(pod)
    tracked = ref is not None and ref.get("kind") == "Job" and FINALIZER in meta.finalizers(pod)
    return (meta.join_key(meta.namespace(pod), ref["name"]),) if ref is not None and tracked else ()


class JobController:
    """The loop over Jobs."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._events = context.recorder(NAME)
        self._control = PodControl(context.client, self._events)
        self._expectations = Expectations()
        self._jobs = context.informer(JOBS, NAMESPACE)
        self._pods = context.informer(PODS, CONTROLLER, ORPHAN)
        self._pods.store.add_indexers({TRACKED: by_tracking_job})
        self._loop = context.controller(NAME, JOBS, self.reconcile)
        self._pods.add_handler(EventHandler(self._pod_added, self._pod_updated, self._pod_deleted))

    async def run(self) -> None:
        await self._context.synced(JOBS, PODS)
        await self._loop.run()

    def _key(self, pod: Object) -> str:
        ref = meta.controller_of(pod)
        return meta.join_key(meta.namespace(pod), ref["name"]) if ref and ref.get("kind") == "Job" else ""

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
        job = self._jobs.get(key)
        await self._let_go(key, job)
        if job is None:
            self._expectations.forget(key)
            return None
        if not self._expectations.satisfied(key, asyncio.get_running_loop().time()):
            return None  # the events of our own writes bring the key back
        store = self._pods.store
        candidates = store.by_index(CONTROLLER, meta.uid(job)) + store.by_index(ORPHAN, meta.namespace(job))
        selector = from_label_selector(job["spec"].get("selector"))
        pods = await claim(self._client, job, JOBS, selector, candidates, PODS)
        plan = compute_plan(job, pods, self._context.clock.now())
        await self._apply(key, job, plan)
        return RequeueAfter(max(0.1, plan.look_again)) if plan.look_again is not None else None

    async def _let_go(self, key: str, job: Object | None) -> None:
        """Pods of a Job of this name that is gone are counted by nobody: nothing need hold them."""
        uid = meta.uid(job) if job is not None else ""
        namespace, name = meta.split_key(key)
        left = [pod for pod in self._pods.store.by_index(TRACKED, key) if (meta.controller_of(pod) or {})["uid"] != uid]
        if not left:
            return
        try:
            live = meta.uid(await self._client.get(JOBS, name, namespace))
        except StatusError as error:
            if error.code != 404:
                raise
            live = ""
        gone = [pod for pod in left if (meta.controller_of(pod) or {})["uid"] != live]
        failed = await first_error([self._finalize(pod) for pod in gone])
        if failed is not None:
            raise failed

    async def _apply(self, key: str, job: Object, plan: JobPlan) -> None:
        if plan.status is not None:
            await self._client.update_status(JOBS, {**job, "status": plan.status})
        for type_, reason, message in plan.events:
            self._events.event(job, type_, reason, message)
        error = await first_error([self._finalize(pod) for pod in plan.finalize])
        if error is None and plan.delete:
            if plan.spared:
                error = await first_error([self._finalize(pod) for pod in plan.delete])
            error = error or await self._delete(key, job, plan.delete)
        if error is None and plan.create:
            error = await self._create(key, job, plan)
        if error is not None:
            raise error

    async def _finalize(self, pod: Object) -> None:
        """Take the tracking finalizer off, if the pod is as it was seen."""
        finalizers = meta.finalizers(pod)
        if FINALIZER not in finalizers:
            return
        path = f"/metadata/finalizers/{finalizers.index(FINALIZER)}"
        patch: list[Object] = [{"op": "test", "path": path, "value": FINALIZER}, {"op": "remove", "path": path}]
        try:
            await self._client.patch(PODS, meta.name(pod), meta.namespace(pod), patch=patch, patch_type=JSON_PATCH)
        except StatusError as error:
            if error.code != 404:
                raise

    async def _delete(self, key: str, job: Object, pods: Sequence[Object]) -> StatusError | None:
        now = asyncio.get_running_loop().time()
        self._expectations.expect_deletions(key, (meta.uid(pod) for pod in pods), now)

        async def delete(pod: Object) -> None:
            try:
                await self._control.delete(job, pod)
            except StatusError as error:
                self._expectations.deletion_observed(key, meta.uid(pod))
                if error.code != 404:
                    raise

        return await first_error([delete(pod) for pod in pods])

    async def _create(self, key: str, job: Object, plan: JobPlan) -> StatusError | None:
        count = min(plan.create, MAX_CREATIONS)
        self._expectations.expect_creations(key, count, asyncio.get_running_loop().time())
        template = podlib.pod_from_template(job["spec"]["template"], job)
        finalizers = [*(template["metadata"].get("finalizers") or ()), FINALIZER]
        template["metadata"]["finalizers"] = finalizers
        tried = 0

        async def create(number: int) -> None:
            nonlocal tried
            tried += 1
            pod = (
                with_index(template, job, plan.indexes[number], plan.annotations[number]) if plan.indexes else template
            )
            try:
                await self._control.create(job, pod)
            except StatusError as error:
                self._expectations.creation_observed(key)
                if not is_namespace_terminating(error):
                    raise

        _, error = await slow_start_batch(count, create)
        self._expectations.creation_observed(key, count - tried)
        return error
