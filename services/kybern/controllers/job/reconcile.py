"""The Job controller: gather the pods of a Job, work out one step (`core.plan`), carry it out."""

from kybern.client.controller import RequeueAfter
from kybern.client.objects import JSON_PATCH
from kybern.client.resources import JOBS, PODS
from kybern.client.store import NAMESPACE
from kybern.controllers.context import Context
from kybern.controllers.core import pods as podlib
from kybern.controllers.job.core.count import FINALIZER
from kybern.controllers.job.core.indexes import with_index
from kybern.controllers.job.core.plan import JobPlan, compute_plan
from kybern.controllers.owned_pods import OwnedPods
from kybern.controllers.pod_control import first_error
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import from_label_selector
from kybern.kube.status import StatusError, allowing

NAME = "job-controller"
MAX_CREATIONS = 500
TRACKED = "tracked-by-job"
JOB_NAME = "batch.kubernetes.io/job-name"
MANAGED_BY = "kubernetes.io/job-controller"


def by_tracking_job(pod: Object) -> tuple[str, ...]:
    """The key of the Job that is to count the pod when it ends; of one without owner, that it was made for."""
    ref = meta.controller_of(pod)
    if FINALIZER not in meta.finalizers(pod) or (ref is not None and ref.get("kind") != "Job"):
        return ()
    name = ref["name"] if ref is not None else meta.labels(pod).get(JOB_NAME, "")
    return (meta.join_key(meta.namespace(pod), name),) if name else ()


def owner_uid(pod: Object) -> str:
    """The uid of a pod's controller; "" when it has none."""
    ref = meta.controller_of(pod)
    return str(ref["uid"]) if ref is not None else ""


def is_or_may_become_owner(job: Object, pod: Object) -> bool:
    """Whether a Job owns a pod, or would adopt it."""
    owner = owner_uid(pod)
    selected = from_label_selector(job["spec"].get("selector")).matches(meta.labels(pod))
    return owner == meta.uid(job) if owner else selected and not meta.is_deleting(pod)


def is_ours(job: Object) -> bool:
    """Whether this controller looks after a Job, and no other that its managedBy names."""
    return job["spec"].get("managedBy") in (None, MANAGED_BY)


class JobController:
    """The loop over Jobs."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._events = context.recorder(NAME)
        self._owned = OwnedPods(context, NAME, JOBS)
        self._jobs = context.informer(JOBS, NAMESPACE)
        self._pods = self._owned.informer
        self._pods.store.add_indexers({TRACKED: by_tracking_job})
        self._loop = context.controller(NAME, JOBS, self.reconcile)
        self._pods.add_handler(self._owned.handler(self._loop.queue.add))

    async def run(self) -> None:
        await self._context.synced(JOBS, PODS)
        await self._loop.run()

    async def reconcile(self, key: str) -> RequeueAfter | None:
        job = self._jobs.get(key)
        if job is not None and not is_ours(job):
            return None
        await self._let_go(key, job)
        if job is None:
            self._owned.forget(key)
            return None
        if not self._owned.settled(key):
            return None  # the events of our own writes bring the key back
        pods = await self._owned.of(job, from_label_selector(job["spec"].get("selector")))
        plan = compute_plan(job, pods, self._context.clock.now())
        await self._apply(key, job, plan)
        return RequeueAfter(max(0.1, plan.look_again)) if plan.look_again is not None else None

    async def _let_go(self, key: str, job: Object | None) -> None:
        """Pods of a Job that is gone, or has released them, are counted by nobody: nothing need hold them."""
        uid = meta.uid(job) if job is not None else ""
        namespace, name = meta.split_key(key)
        left = [pod for pod in self._pods.store.by_index(TRACKED, key) if owner_uid(pod) != uid]
        if not left:
            return
        try:
            live: Object | None = await self._client.get(JOBS, name, namespace)
        except StatusError as error:
            if error.code != 404:
                raise
            live = None
        gone = [pod for pod in left if live is None or not is_or_may_become_owner(live, pod)]
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
            error = error or await self._owned.delete(key, job, plan.delete)
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
        with allowing(404):
            await self._client.patch(PODS, meta.name(pod), meta.namespace(pod), patch=patch, patch_type=JSON_PATCH)

    async def _create(self, key: str, job: Object, plan: JobPlan) -> StatusError | None:
        template = podlib.pod_from_template(job["spec"]["template"], job)
        template["metadata"]["finalizers"] = [*(template["metadata"].get("finalizers") or ()), FINALIZER]

        def make(number: int) -> Object:
            if not plan.indexes:
                return template
            return with_index(template, job, plan.indexes[number], plan.annotations[number])

        return await self._owned.create(key, job, min(plan.create, MAX_CREATIONS), make)
