"""DefaultStorageClass: a claim that names no storage class gets the newest one that is marked as default."""

from kybern.apiserver.admission.marked import newest_default
from kybern.apiserver.admission.plugin import CREATE, Object, Plugin
from kybern.apiserver.registry.request import Request

GROUP = "storage.k8s.io"
DEFAULT = "storageclass.kubernetes.io/is-default-class"
BETA = "volume.beta.kubernetes.io/storage-class"


class DefaultStorageClass(Plugin):
    """See the module's docstring."""

    name = "DefaultStorageClass"
    concerns = frozenset({("", "persistentvolumeclaims")})

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        if operation != CREATE or request.subresource:
            return
        spec = new.get("spec")
        if not isinstance(spec, dict) or spec.get("storageClassName") is not None:
            return
        if BETA not in (new["metadata"].get("annotations") or {}):
            name = newest_default(request, GROUP, "storageclasses", DEFAULT)
            if name:
                spec["storageClassName"] = name
