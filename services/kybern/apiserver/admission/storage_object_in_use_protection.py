"""StorageObjectInUseProtection: volumes and claims are born with a finalizer that keeps them while they are used."""

from kybern.apiserver.admission.plugin import CREATE, Object, Plugin
from kybern.apiserver.registry.request import Request

FINALIZERS = {
    "persistentvolumes": "kubernetes.io/pv-protection",
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
}


class StorageObjectInUseProtection(Plugin):
    """The controllers of the same names take the finalizers away."""

    name = "StorageObjectInUseProtection"
    concerns = frozenset({("", resource) for resource in FINALIZERS})

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        if operation != CREATE or request.subresource:
            return
        finalizers = new["metadata"].get("finalizers") or []
        wanted = FINALIZERS[request.resource]
        if wanted not in finalizers:
            new["metadata"]["finalizers"] = [*finalizers, wanted]
