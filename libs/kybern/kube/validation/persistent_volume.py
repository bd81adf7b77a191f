"""PersistentVolume: one source of a known kind, a size, and how it may be reached."""

from kybern.kube import quantity
from kybern.kube.field import forbidden, invalid, not_supported, required
from kybern.kube.go_diff import go_diff
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    chosen,
    immutable,
    items,
    one_of,
    required_text,
    same,
    text,
)  # fmt: skip
from kybern.kube.validation.names import dns1123_subdomain
from kybern.kube.validation.scheduling import validate_node_selector
from kybern.kube.validation.volume import host_path

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_FIELDS = frozenset(
    {
        "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
        "storageClassName", "volumeAttributesClassName", "volumeMode",
    }
)  # fmt: skip


def access_modes(spec: Object, path: str) -> Errors:
    modes = items(spec, "accessModes")
    if not modes:
        yield required(f"{path}.accessModes", "at least 1 access mode is required")
    for mode in modes:
        if mode not in ACCESS_MODES:
            yield not_supported(f"{path}.accessModes", mode, ACCESS_MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        detail = "may not use ReadWriteOncePod with other access modes"
        yield forbidden(f"{path}.accessModes", detail)


def validate_volume(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from access_modes(spec, "spec")
    capacity = child(spec, "capacity")
    if not capacity:
        yield required("spec.capacity")
    if set(capacity) != {"storage"}:
        yield not_supported("spec.capacity", capacity, ("storage",))
    for name, amount in capacity.items():
        if quantity.parse(amount).nanos <= 0:
            yield invalid(f"spec.capacity[{name}]", amount, "must be greater than zero")
    yield from one_of(spec, "persistentVolumeReclaimPolicy", "spec", ("Delete", "Recycle", "Retain"))
    yield from chosen(spec, "volumeMode", "spec", ("Block", "Filesystem"))
    if spec.get("storageClassName"):
        yield from text(spec["storageClassName"], "spec.storageClassName", dns1123_subdomain)
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        if affinity.get("required") is None:
            yield required("spec.nodeAffinity.required", "must specify required node constraints")
        else:
            yield from validate_node_selector(affinity["required"], "spec.nodeAffinity.required")
    yield from volume_source(spec, affinity)
    attributes = spec.get("volumeAttributesClassName")
    if attributes is None:
        return
    if not attributes:
        yield required("spec.volumeAttributesClassName", "an empty string is disallowed")
    else:
        yield from text(attributes, "spec.volumeAttributesClassName", dns1123_subdomain)
    if spec.get("csi") is None:
        yield required("spec.csi", "has to be specified when using volumeAttributesClassName")


def volume_source(spec: Object, affinity: Object | None, path: str = "spec") -> Errors:
    sources = [name for name, value in spec.items() if name not in _VOLUME_FIELDS and value is not None]
    for name in sources[1:]:
        yield forbidden(f"{path}.{name}", "may not specify more than 1 volume type")
    if not sources:
        yield required(path, "must specify a volume type")
        return
    name = sources[0]
    source = spec[name]
    if name == "hostPath":
        yield from host_path(source, f"{path}.hostPath")
        if source.get("path") == "/" and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
            detail = "may not be 'recycle' for a hostPath mount of '/'"
            yield forbidden(f"{path}.persistentVolumeReclaimPolicy", detail)
    elif name == "local":
        yield from required_text(source, "path", f"{path}.local")
        if affinity is None:
            yield required(f"{path}.nodeAffinity", "Local volume requires node affinity")
    elif name == "nfs":
        yield from required_text(source, "server", f"{path}.nfs")
        yield from required_text(source, "path", f"{path}.nfs")
    elif name == "csi":
        yield from required_text(source, "driver", f"{path}.csi")
        yield from required_text(source, "volumeHandle", f"{path}.csi")


def validate_volume_update(obj: Object, old: Object) -> Errors:
    spec, before = child(obj, "spec"), child(old, "spec")

    def source(s: Object) -> Object:
        return {name: value for name, value in s.items() if name not in _VOLUME_FIELDS}

    if not same(source(spec), source(before)):
        diff = go_diff("k8s.io.api.core.v1.PersistentVolumeSource", source(before), source(spec))
        why = "spec.persistentvolumesource is immutable after creation"
        yield forbidden("spec.persistentvolumesource", f"{why}\n{diff}")
    yield from immutable(spec.get("volumeMode"), before.get("volumeMode"), "volumeMode")
    if before.get("nodeAffinity") is not None:
        yield from immutable(spec.get("nodeAffinity"), before["nodeAffinity"], "spec.nodeAffinity")
