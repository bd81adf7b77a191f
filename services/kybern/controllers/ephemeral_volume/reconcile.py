"""The loop over Pods that makes their claims; the garbage collector takes them with the pod."""

from kybern.client.events import WARNING
from kybern.client.informer import EventHandler
from kybern.client.resources import PERSISTENT_VOLUME_CLAIMS, PODS
from kybern.controllers.context import Context
from kybern.controllers.storage import CLAIM, by_claims_of_pod
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError, conflict

NAME = "ephemeral-volume-controller"


def has_ephemeral(pod: Object) -> bool:
    """Whether a pod describes volumes that are made for it."""
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    return not meta.is_deleting(pod) and any(volume.get("ephemeral") is not None for volume in volumes)


def claim_for(pod: Object, volume: Object) -> Object:
    """The claim of one volume."""
    template = volume["ephemeral"].get("volumeClaimTemplate") or {}
    given = template.get("metadata") or {}
    kept = {member: given[member] for member in ("labels", "annotations") if given.get(member)}
    metadata = {
        "name": f"{meta.name(pod)}-{volume['name']}",
        "namespace": meta.namespace(pod),
        **kept,
        "ownerReferences": [meta.owner_reference(pod)],
    }
    return {"metadata": metadata, "spec": template.get("spec") or {}}


class EphemeralVolumes:
    """One key is one pod."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._events = context.recorder(NAME)
        self._pods = context.informer(PODS)
        self._pods.store.add_indexers({CLAIM: by_claims_of_pod})
        self._claims = context.informer(PERSISTENT_VOLUME_CLAIMS)
        self._loop = context.controller(NAME, PODS, self.reconcile, watch=False)
        self._pods.add_handler(EventHandler(on_add=self._pod_added))
        self._claims.add_handler(EventHandler(on_delete=lambda claim, unknown: self._claim_deleted(claim)))

    async def run(self) -> None:
        await self._context.synced(PODS, PERSISTENT_VOLUME_CLAIMS)
        await self._loop.run()

    def _pod_added(self, pod: Object) -> None:
        if has_ephemeral(pod):
            self._loop.queue.add(meta.key(pod))

    def _claim_deleted(self, claim: Object) -> None:
        for pod in self._pods.store.by_index(CLAIM, meta.key(claim)):
            self._pod_added(pod)

    async def reconcile(self, key: str) -> None:
        pod = self._pods.get(key)
        if pod is None or not has_ephemeral(pod):
            return
        for volume in pod["spec"]["volumes"]:
            if volume.get("ephemeral") is not None:
                await self._ensure(pod, claim_for(pod, volume))

    async def _ensure(self, pod: Object, wanted: Object) -> None:
        found = self._claims.get(meta.key(wanted))
        if found is not None:
            if not meta.is_controlled_by(found, pod):
                why = f'PVC "{meta.key(wanted)}" was not created for pod "{meta.key(pod)}" (pod is not owner)'
                raise conflict("", "persistentvolumeclaims", meta.name(wanted), why)
            return
        try:
            await self._context.client.create(PERSISTENT_VOLUME_CLAIMS, wanted)
        except StatusError as error:
            if error.reason == "AlreadyExists":
                raise  # seen later: whose it is has to be known
            message = f"Failed to create PVC for ephemeral volume: {error.message}"
            self._events.event(pod, WARNING, "FailedBinding", message)
            raise
