"""ResourceClaims, their templates, slices and classes: access as an administrator is for namespaces that allow it."""

from collections.abc import Sequence
from typing import Any

from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object, Strategy
from kybern.kube import meta
from kybern.kube.field import FieldError, forbidden
from kybern.kube.validation.resource_slice import slice_warnings

ADMIN = "resource.kubernetes.io/admin-access"
_WHY = f"admin access to devices requires the `{ADMIN}: true` label on the containing namespace"


def check_claim(request: Request, new: Object, old: Object | None) -> list[FieldError]:
    """Requests of a new claim, and results in a status."""
    if request.subresource == "status":
        allocation = (new.get("status") or {}).get("allocation") or {}
        results = (allocation.get("devices") or {}).get("results") or ()
        return _admin_access(request, results, "status.allocation.devices.results")
    return _requested(request, new.get("spec") or {}) if old is None else []


def check_template(request: Request, new: Object, old: Object | None) -> list[FieldError]:
    """Requests of the claims that a new template is for."""
    return _requested(request, (new.get("spec") or {}).get("spec") or {}) if old is None else []


def _requested(request: Request, spec: Object) -> list[FieldError]:
    requests = (spec.get("devices") or {}).get("requests") or ()
    return _admin_access(request, [(one or {}).get("exactly") or {} for one in requests], "spec.devices.requests")


def _admin_access(request: Request, devices: Sequence[Object], path: str) -> list[FieldError]:
    asked = [index for index, one in enumerate(devices) if one.get("adminAccess")]
    if not asked or _allowed(request):
        return []
    return [forbidden(f"{path}[{index}].adminAccess", _WHY) for index in asked]


def _allowed(request: Request) -> bool:
    namespace = request.server.table.cacher("", "namespaces").get("", request.namespace)
    return namespace is not None and namespace.labels.get(ADMIN) == "true"


def _time_taints(request: Request, obj: Object) -> None:
    """Taints say since when they are there."""
    for device in (obj.get("spec") or {}).get("devices") or ():
        for taint in (device or {}).get("taints") or ():
            taint.setdefault("timeAdded", meta.format_time(request.now))


def _time_new_taints(request: Request, new: Object, old: Object) -> None:
    _time_taints(request, new)


def drop_deallocated(request: Request, new: Object, old: Object) -> None:
    """What drivers said of devices goes with their allocation."""
    status = new.get("status") or {}
    freed = _allocated(old) - _allocated(new)
    kept = [device for device in status.get("devices") or () if _key(device) not in freed]
    if kept:
        status["devices"] = kept
    else:
        status.pop("devices", None)


def _allocated(claim: Object) -> set[tuple[Any, ...]]:
    allocation = (claim.get("status") or {}).get("allocation") or {}
    return set(map(_key, (allocation.get("devices") or {}).get("results") or ()))


def _key(device: Object) -> tuple[Any, ...]:
    return tuple(device.get(name) for name in ("driver", "pool", "device", "shareID"))


KEPT = Strategy(returns_deleted=True)
DEVICES = {
    ("resource.k8s.io", "deviceclasses"): KEPT,
    ("resource.k8s.io", "resourceclaims"): Strategy(
        returns_deleted=True, check_here=check_claim, status_update=(drop_deallocated,)
    ),
    ("resource.k8s.io", "resourceclaimtemplates"): Strategy(returns_deleted=True, check_here=check_template),
    ("resource.k8s.io", "resourceslices"): Strategy(
        returns_deleted=True, prepare_create=(_time_taints,), prepare_update=(_time_new_taints,), warn=slice_warnings
    ),
}
