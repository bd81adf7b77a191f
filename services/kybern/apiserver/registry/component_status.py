"""ComponentStatus: the old view of the control plane's health: the store answers, leaders renew their leases."""

from typing import TYPE_CHECKING, Any

from kybern.kube import meta
from kybern.kube.status import not_found
from kybern.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

LEASES = {"controller-manager": "kube-controller-manager", "scheduler": "kube-scheduler"}
NAMES = ("controller-manager", "etcd-0", "scheduler")


async def get(server: "ApiServer", name: str) -> dict[str, Any]:
    """One component. Raises StatusError (404)."""
    if name == "etcd-0":
        status, message = await _store(server)
    elif name in LEASES:
        status, message = _leader(server, LEASES[name])
    else:
        raise not_found("", "componentstatuses", name)
    condition = {"type": "Healthy", "status": status, "message": message}
    return {"kind": "ComponentStatus", "apiVersion": "v1", "metadata": {"name": name}, "conditions": [condition]}


async def _store(server: "ApiServer") -> tuple[str, str]:
    try:
        await server.feed.store.revision()
    except StoreUnavailable as error:
        return "False", str(error)
    return "True", "ok"


def _leader(server: "ApiServer", lease: str) -> tuple[str, str]:
    """Whether somebody holds the lease and keeps renewing it."""
    entry = server.table.cacher("coordination.k8s.io", "leases").get("kube-system", lease)
    spec = (entry.decode().get("spec") or {}) if entry is not None else {}
    renewed = meta.parse_time(spec.get("renewTime"))
    if renewed is None or not spec.get("holderIdentity"):
        return "Unknown", "no leader lease"
    late = (server.clock.now() - renewed).total_seconds() - (spec.get("leaseDurationSeconds") or 0)
    return ("True", "ok") if late < 0 else ("False", f"the leader lease ran out {late:.0f} s ago")
