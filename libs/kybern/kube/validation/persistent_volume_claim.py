"""PersistentVolumeClaim: what is asked for, what may change once it is bound, and what is said of it."""

import copy

from kybern.kube import quantity
from kybern.kube.field import forbidden, invalid, not_supported, required
from kybern.kube.go_diff import go_diff
from kybern.kube.go_struct import go_struct, same_struct
from kybern.kube.validation.fields import Errors, Object, child, chosen, immutable, required_text, text
from kybern.kube.validation.metadata import validate_selector
from kybern.kube.validation.names import dns1123_subdomain, label_key
from kybern.kube.validation.persistent_volume import access_modes


def validate_claim(obj: Object) -> Errors:
    yield from validate_claim_spec(child(obj, "spec"), "spec")


def validate_claim_spec(spec: Object, path: str) -> Errors:
    yield from access_modes(spec, path)
    yield from validate_selector(spec.get("selector"), f"{path}.selector")
    storage = child(child(spec, "resources"), "requests").get("storage")
    if storage is None:
        yield required(f"{path}.resources[storage]")
    elif quantity.parse(storage).nanos <= 0:
        yield invalid(f"{path}.resources[storage]", storage, "must be greater than zero")
    for name in ("storageClassName", "volumeAttributesClassName"):
        if spec.get(name):
            yield from text(spec[name], f"{path}.{name}", dns1123_subdomain)
    yield from chosen(spec, "volumeMode", path, ("Block", "Filesystem"))
    for name in ("dataSource", "dataSourceRef"):
        source = spec.get(name)
        if source is not None:
            for field in ("name", "kind"):
                yield from required_text(source, field, f"{path}.{name}")
            group, kind = source.get("apiGroup") or "", source.get("kind") or ""
            if group:
                yield from text(group, f"{path}.{name}.apiGroup", dns1123_subdomain)
            elif kind != "PersistentVolumeClaim":
                detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
                yield invalid(f"{path}.{name}", kind, detail)
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is None or ref is None or ref.get("namespace"):
        return
    named = (("apiGroup", None), ("kind", ""), ("name", ""))  # of what is absent: a group of no name is one
    if any(source.get(name, absent) != ref.get(name, absent) for name, absent in named):
        yield invalid(path, {}, "must match dataSourceRef")


_CLAIM_SPEC = "k8s.io.api.core.v1.PersistentVolumeClaimSpec"
_CLAIM_UPDATABLE = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)


def validate_claim_update(obj: Object, old: Object) -> Errors:
    """A claim may be bound, may be given a class after the fact, and when bound may grow."""
    spec, before = copy.deepcopy(child(obj, "spec")), dict(child(old, "spec"))
    if not before.get("volumeName"):
        before["volumeName"] = spec.get("volumeName")
    if before.get("storageClassName") is None:
        before["storageClassName"] = spec.get("storageClassName")
    sizes = [child(child(one, "resources"), "requests").get("storage") for one in (spec, before)]
    new_size, old_size = (quantity.parse(size or "0") for size in sizes)
    if child(old, "status").get("phase") == "Bound":
        resources = child(spec, "resources")
        if sizes[1] is not None and resources.get("requests") is not None:
            spec["resources"] = {**resources, "requests": {**child(resources, "requests"), "storage": sizes[1]}}
        before["volumeAttributesClassName"] = spec.get("volumeAttributesClassName")
    if not same_struct(*(go_struct(_CLAIM_SPEC, one) for one in (spec, before))):
        yield forbidden("spec", f"{_CLAIM_UPDATABLE}\n{go_diff(_CLAIM_SPEC, before, spec)}")
    if new_size < old_size:
        capacity = quantity.parse(child(child(old, "status"), "capacity").get("storage") or "0")
        if not capacity < new_size:
            yield forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")
    yield from immutable(spec.get("volumeMode"), child(old, "spec").get("volumeMode"), "volumeMode")
    asked, had = (child(one, "spec").get("volumeAttributesClassName") for one in (obj, old))
    if had is not None and asked is None and child(old, "status").get("currentVolumeAttributesClassName") is not None:
        why = "update to nil is forbidden when status.currentVolumeAttributesClassName is not nil"
        yield forbidden("spec.volumeAttributesClassName", why)


_RESIZES = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
)


def validate_claim_status(obj: Object, old: Object) -> Errors:
    """How large the claim is, and is becoming."""
    status = child(obj, "status")
    yield from _amounts(child(status, "capacity"), "status.capacity")
    path = "status.allocatedResourceStatuses"
    for name, said in sorted(child(status, "allocatedResourceStatuses").items()):
        yield from _resource(name, path)
        if said not in _RESIZES:
            yield not_supported(path, name, _RESIZES, in_order=True)  # the key is shown, not the value
    allocated, path = child(status, "allocatedResources"), "status.allocatedResources"
    for name in sorted(allocated):
        problems = list(_resource(name, path))
        yield from problems or _amounts({name: allocated[name]}, path)


def _resource(name: str, path: str) -> Errors:
    """Of Kubernetes' own resources only storage."""
    problems = list(text(name, path, label_key))
    yield from problems
    if not problems and "/" not in name and name != "storage":
        yield not_supported(path, name, ("storage",))


def _amounts(resources: Object, path: str) -> Errors:
    for name, amount in sorted(resources.items()):
        value = quantity.parse(amount).value()
        if value < 0:
            yield invalid(f"{path}[{name}]", value, "must be a valid resource quantity")
