"""The loop over PersistentVolumeClaims that takes their finalizer when nobody uses them any more."""

from kybern.client.resources import PERSISTENT_VOLUME_CLAIMS, PODS
from kybern.controllers.context import Context, when_changed
from kybern.controllers.storage import CLAIM, by_claims_of_pod, claims_of_pod, protect
from kybern.kube import meta
from kybern.kube.meta import Object

NAME = "persistentvolumeclaim-protection-controller"
FINALIZER = "kubernetes.io/pvc-protection"


def uses(pod: Object, key: str) -> bool:
    """Whether a pod that has its node needs the claim; one that waits for a node will not get one without it."""
    return bool((pod.get("spec") or {}).get("nodeName")) and key in claims_of_pod(pod)


class ClaimProtection:
    """A claim goes when neither the mirrored pods nor, asked once more, the apiserver's use it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._claims = context.informer(PERSISTENT_VOLUME_CLAIMS)
        self._pods = context.informer(PODS)
        self._pods.store.add_indexers({CLAIM: by_claims_of_pod})
        self._loop = context.controller(NAME, PERSISTENT_VOLUME_CLAIMS, self.reconcile)
        self._pods.add_handler(when_changed(self._pod_changed))

    async def run(self) -> None:
        await self._context.synced(PERSISTENT_VOLUME_CLAIMS, PODS)
        await self._loop.run()

    def _pod_changed(self, pod: Object) -> None:
        for key in claims_of_pod(pod):
            claim = self._claims.get(key)
            if claim is not None and meta.is_deleting(claim):
                self._loop.queue.add(key)

    async def reconcile(self, key: str) -> None:
        claim = self._claims.get(key)
        if claim is None:
            return
        in_use = meta.is_deleting(claim) and await self._is_used(claim)
        await protect(self._context.client, PERSISTENT_VOLUME_CLAIMS, claim, FINALIZER, in_use)

    async def _is_used(self, claim: Object) -> bool:
        key = meta.key(claim)
        if any(uses(pod, key) for pod in self._pods.store.by_index(CLAIM, key)):
            return True
        live = await self._context.client.list(PODS, meta.namespace(claim))
        return any(uses(pod, key) for pod in live.items)
