"""PersistentVolume: one source of a known kind, a size, and how it may be reached."""

from collections.abc import Callable, Mapping

from kybern.kube import quantity
from kybern.kube.field import forbidden, invalid, not_supported, required
from kybern.kube.go_diff import go_diff
from kybern.kube.go_struct import go_struct, same_struct
from kybern.kube.validation.fields import (
    IMMUTABLE,
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
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain
from kybern.kube.validation.paths import no_backsteps
from kybern.kube.validation.scheduling import validate_node_selector
from kybern.kube.validation.volume import csi_driver_name, host_path, nfs
from kybern.kube.validation.volume_plugins import PLUGINS, iscsi

_SOURCE, _AFFINITY = "k8s.io.api.core.v1.PersistentVolumeSource", "k8s.io.api.core.v1.VolumeNodeAffinity"
_GA_LABELS = {
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
}
ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_FIELDS = frozenset(
    {
        "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
        "storageClassName", "volumeAttributesClassName", "volumeMode",
    }
)  # fmt: skip


_MOUNT_OPTIONS = "volume.beta.kubernetes.io/mount-options"
_MOUNTED = (
    "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "nfs", "rbd", "quobyte", "cephfs", "iscsi", "cinder",
    "azureFile", "azureDisk", "vsphereVolume", "photonPersistentDisk",
)  # fmt: skip


def access_modes(spec: Object, path: str) -> Errors:
    modes = items(spec, "accessModes")
    if not modes:
        yield required(f"{path}.accessModes", "at least 1 access mode is required")
    unknown = [mode for mode in modes if mode not in ACCESS_MODES]
    for mode in unknown:
        yield not_supported(f"{path}.accessModes", mode, ACCESS_MODES)
    if not unknown and "ReadWriteOncePod" in modes and len(modes) > 1:
        detail = "may not use ReadWriteOncePod with other access modes"
        yield forbidden(f"{path}.accessModes", detail)


def validate_volume(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from _spec(spec, _name(obj))
    if _MOUNT_OPTIONS in child(child(obj, "metadata"), "annotations") and not any(spec.get(n) for n in _MOUNTED):
        yield forbidden(f"metadata.annotations.{_MOUNT_OPTIONS}", "may not specify mount options for this volume type")


def _name(obj: Object) -> str:
    return child(obj, "metadata").get("name") or ""


def _spec(spec: Object, name: str) -> Errors:
    if items(spec, "accessModes"):
        yield from access_modes(spec, "spec")
    else:
        yield required("spec.accessModes")
    capacity = child(spec, "capacity")
    if not capacity:
        yield required("spec.capacity")
    if set(capacity) != {"storage"}:
        yield not_supported("spec.capacity", spec.get("capacity"), ("storage",))
    for name, amount in capacity.items():
        nanos = quantity.parse(amount).nanos
        if nanos < 0:
            whole = -(nanos // quantity.NANO)
            yield invalid(f"spec.capacity[{name}]", -whole, "must be a valid resource quantity")
        if nanos <= 0:
            yield invalid(f"spec.capacity[{name}]", amount, "must be greater than zero")
    yield from one_of(spec, "persistentVolumeReclaimPolicy", "spec", ("Delete", "Recycle", "Retain"))
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        if affinity.get("required") is None:
            yield required("spec.nodeAffinity.required", "must specify required node constraints")
        else:
            yield from validate_node_selector(affinity["required"], "spec.nodeAffinity.required")
    yield from volume_source(spec, affinity, name=name)
    if spec.get("storageClassName"):
        yield from text(spec["storageClassName"], "spec.storageClassName", dns1123_subdomain)
    yield from chosen(spec, "volumeMode", "spec", ("Block", "Filesystem"))
    if spec.get("volumeAttributesClassName") is not None:
        yield from _attributes_class(spec["volumeAttributesClassName"], spec)


def _attributes_class(attributes: str, spec: Object) -> Errors:
    if not attributes:
        yield required("spec.volumeAttributesClassName", "an empty string is disallowed")
    else:
        yield from text(attributes, "spec.volumeAttributesClassName", dns1123_subdomain)
    if spec.get("csi") is None:
        yield required("spec.csi", "has to be specified when using volumeAttributesClassName")


def volume_source(spec: Object, affinity: Object | None, path: str = "spec", name: str = "") -> Errors:
    """Of the volume of that `name`. Its first source is judged, further ones are too many; a flexVolume always is."""
    given = [name for name in _SOURCES if spec.get(name) is not None]
    if not given:
        yield required(path, "must specify a volume type")
    for place, kind in enumerate(given):
        if place and kind != "flexVolume":
            yield forbidden(f"{path}.{_TOO_MANY_AS.get(kind, kind)}", "may not specify more than 1 volume type")
            continue
        yield from _SOURCES[kind](spec[kind], f"{path}.{_SHOWN_AS.get(kind, kind)}")
        if kind == "local" and affinity is None:
            yield required(f"{path}.nodeAffinity", "Local volume requires node affinity")
        elif kind == "iscsi":
            yield from _interface(spec[kind], name, f"{path}.iscsi")
    if child(spec, "hostPath").get("path") == "/" and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        detail = "may not be 'recycle' for a hostPath mount of '/'"
        yield forbidden(f"{path}.persistentVolumeReclaimPolicy", detail)


def _interface(source: Object, name: str, path: str) -> Errors:
    """The interface of an initiator of its own is named after the volume and the portal."""
    portal = source.get("targetPortal") or ""
    if source.get("initiatorName") is not None and len(f"{name}:{portal}") > 64:
        detail = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "
        yield invalid(f"{path}.targetportal", portal, f"{detail}iscsi.initiatorName is specified.")


def _local(source: Object, path: str) -> Errors:
    yield from required_text(source, "path", path)
    yield from no_backsteps(source.get("path") or "", f"{path}.path")


def _glusterfs(source: Object, path: str) -> Errors:
    yield from PLUGINS["glusterfs"](source, path)
    namespace, at = source.get("endpointsNamespace"), f"{path}.endpointsNamespace"
    if namespace == "":
        yield invalid(at, namespace, "if the endpointnamespace is set, it must be a valid namespace name")
    elif namespace is not None:
        yield from text(namespace, at, dns1123_label)


def _azure_file(source: Object, path: str) -> Errors:
    yield from PLUGINS["azureFile"](source, path)
    if source.get("secretNamespace") == "":
        yield required(f"{path}.secretNamespace")


def _secret_of(plugin: str) -> Callable[[Object, str], Errors]:
    """A source whose secret is one of a namespace."""

    def check(source: Object, path: str) -> Errors:
        yield from PLUGINS[plugin](source, path)
        if source.get("secretRef") is not None:
            yield from required_text(source["secretRef"], "namespace", f"{path}.secretRef")

    return check


def _iscsi(source: Object, path: str) -> Errors:
    yield from iscsi(source, path, shapes="")
    if source.get("secretRef") is not None:
        yield from required_text(source["secretRef"], "name", f"{path}.secretRef")


def _csi(source: Object, path: str) -> Errors:
    yield from csi_driver_name(source.get("driver") or "", f"{path}.driver")
    yield from required_text(source, "volumeHandle", path)
    for name in _CSI_SECRETS:
        if source.get(name) is not None:
            yield from required_text(source[name], "name", f"{path}.{name}", dns1123_subdomain)
            yield from required_text(source[name], "namespace", f"{path}.{name}", dns1123_label)


_SOURCES: Mapping[str, Callable[[Object, str], Errors]] = {
    "hostPath": host_path,
    "gcePersistentDisk": PLUGINS["gcePersistentDisk"],
    "awsElasticBlockStore": PLUGINS["awsElasticBlockStore"],
    "glusterfs": _glusterfs,
    "flocker": PLUGINS["flocker"],
    "nfs": nfs,
    "rbd": PLUGINS["rbd"],
    "quobyte": PLUGINS["quobyte"],
    "cephfs": PLUGINS["cephfs"],
    "iscsi": _iscsi,
    "cinder": _secret_of("cinder"),
    "fc": PLUGINS["fc"],
    "flexVolume": PLUGINS["flexVolume"],
    "azureFile": _azure_file,
    "vsphereVolume": PLUGINS["vsphereVolume"],
    "photonPersistentDisk": PLUGINS["photonPersistentDisk"],
    "portworxVolume": PLUGINS["portworxVolume"],
    "azureDisk": PLUGINS["azureDisk"],
    "scaleIO": PLUGINS["scaleIO"],
    "local": _local,
    "storageos": _secret_of("storageos"),
    "csi": _csi,
}
_SHOWN_AS = {"gcePersistentDisk": "persistentDisk"}
_TOO_MANY_AS = {"cephfs": "cephFS"}
_CSI_SECRETS = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)


def validate_volume_update(obj: Object, old: Object) -> Errors:
    """What is wrong with the spec itself is told a second time."""
    spec, before = child(obj, "spec"), child(old, "spec")
    yield from _spec(spec, _name(obj))

    def source(s: Object) -> Object:
        return {name: value for name, value in s.items() if name not in _VOLUME_FIELDS}

    if not same_struct(go_struct(_SOURCE, source(spec)), go_struct(_SOURCE, source(before))):
        diff = go_diff(_SOURCE, source(before), source(spec))
        why = "spec.persistentvolumesource is immutable after creation"
        yield forbidden("spec.persistentvolumesource", f"{why}\n{diff}")
    yield from immutable(spec.get("volumeMode"), before.get("volumeMode"), "volumeMode")
    if before.get("nodeAffinity") is not None:
        yield from _same_nodes(spec.get("nodeAffinity"), before["nodeAffinity"])
    if before.get("volumeAttributesClassName") is not None and spec.get("volumeAttributesClassName") is None:
        yield forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden")


def _same_nodes(affinity: Object | None, before: Object) -> Errors:
    """Labels of nodes may be called by the names that replaced theirs."""
    new, old = go_struct(_AFFINITY, affinity), go_struct(_AFFINITY, before)
    if not same_struct(new, old) and not (affinity and _renamed(affinity, before)):
        yield invalid("nodeAffinity", new, f"{IMMUTABLE}, except for updating from beta label to GA")


def _renamed(affinity: Object, before: Object) -> bool:
    """Whether keys alone have changed, each to the one that replaced it; a key that none replaced may become empty."""
    both = [items(child(one, "required"), "nodeSelectorTerms") for one in (affinity, before)]
    if len(both[0]) != len(both[1]):
        return False
    for term, was in zip(*both, strict=True):
        sides = [items(one, "matchExpressions") for one in (term, was)]
        if len(sides[0]) != len(sides[1]) or not same(term.get("matchFields"), was.get("matchFields")):
            return False
        for new, old in zip(*sides, strict=True):
            if new.get("key") not in (old["key"], _GA_LABELS.get(old["key"], "")):
                return False
            if not same({**new, "key": ""}, {**old, "key": ""}):
                return False
    return True
