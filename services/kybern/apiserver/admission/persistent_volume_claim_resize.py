"""PersistentVolumeClaimResize: a bound claim grows only if its storage class allows it."""

from kybern.apiserver.admission.plugin import UPDATE, Object, Plugin
from kybern.apiserver.registry.request import Request
from kybern.kube.quantity import ZERO, Quantity, parse
from kybern.kube.quota.evaluators import storage_class
from kybern.kube.status import forbidden

GROUP = "storage.k8s.io"


class PersistentVolumeClaimResize(Plugin):
    """See the module's docstring."""

    name = "PersistentVolumeClaimResize"
    concerns = frozenset({("", "persistentvolumeclaims")})

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        if operation != UPDATE or request.subresource:
            return
        if new is None or old is None or _size(new) <= _size(old):
            return
        if (old.get("status") or {}).get("phase") != "Bound":
            raise forbidden("", request.resource, request.name, "Only bound persistent volume claims can be expanded")
        name = storage_class(new)
        entry = request.server.table.cacher(GROUP, "storageclasses").get("", name) if name else None
        if entry is None or not entry.decode().get("allowVolumeExpansion"):
            why = (
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
                "support resize"
            )
            raise forbidden("", request.resource, request.name, why)


def _size(claim: Object) -> Quantity:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return parse(requests["storage"]) if "storage" in requests else ZERO
