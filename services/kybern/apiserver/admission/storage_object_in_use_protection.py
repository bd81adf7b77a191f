"""StorageObjectInUseProtection: volumes and what they are used by are born with a finalizer that keeps them."""

from kybern.apiserver.admission.plugin import CREATE, Object, Plugin
from kybern.apiserver.registry.request import Request

FINALIZERS = {
    ("", "persistentvolumes"): "kubernetes.io/pv-protection",
    ("", "persistentvolumeclaims"): "kubernetes.io/pvc-protection",
    ("storage.k8s.io", "volumeattributesclasses"): "kubernetes.io/vac-protection",
}


class StorageObjectInUseProtection(Plugin):
    """The controllers of the same names take the finalizers away."""

    name = "StorageObjectInUseProtection"
    concerns = frozenset(FINALIZERS)

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        if operation != CREATE or request.subresource:
            return
        finalizers = new["metadata"].get("finalizers") or []
        wanted = FINALIZERS[request.group, request.resource]
        if wanted not in finalizers:
            new["metadata"]["finalizers"] = [*finalizers, wanted]
