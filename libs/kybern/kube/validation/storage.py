"""PersistentVolume, PersistentVolumeClaim, VolumeAttachment, CSIDriver, CSINode."""

import copy

from kybern.kube import quantity
from kybern.kube.field import Struct, duplicate, forbidden, invalid, not_supported, required, too_long
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
from kybern.kube.validation.metadata import validate_selector
from kybern.kube.validation.names import dns1123_subdomain, min_error, qualified_name, range_error
from kybern.kube.validation.scheduling import validate_node_selector
from kybern.kube.validation.volume import host_path

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_FIELDS = frozenset(
    {
        "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
        "storageClassName", "volumeAttributesClassName", "volumeMode",
    }
)  # fmt: skip
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"


def _driver_name(name: str, path: str) -> Errors:
    """A CSI driver's name is a subdomain of 63 bytes at most, in whatever case."""
    if not name:
        yield required(path)
    if len(name) > 63:
        yield too_long(path, 63)
    for problem in dns1123_subdomain(name.lower()) if name else ():
        yield invalid(path, name, problem)


def _access_modes(spec: Object, path: str) -> Errors:
    modes = items(spec, "accessModes")
    if not modes:
        yield required(f"{path}.accessModes", "at least 1 access mode is required")
    for mode in modes:
        if mode not in ACCESS_MODES:
            yield not_supported(f"{path}.accessModes", mode, ACCESS_MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        detail = "may not use ReadWriteOncePod with other access modes"
        yield forbidden(f"{path}.accessModes", detail)


def validate_claim(obj: Object) -> Errors:
    yield from validate_claim_spec(child(obj, "spec"), "spec")


def validate_claim_spec(spec: Object, path: str) -> Errors:
    yield from _access_modes(spec, path)
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
    if any((source.get(name) or "") != (ref.get(name) or "") for name in ("apiGroup", "kind", "name")):
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
        if sizes[1] is not None:
            spec["resources"] = {**resources, "requests": {**child(resources, "requests"), "storage": sizes[1]}}
        before["volumeAttributesClassName"] = spec.get("volumeAttributesClassName")
    if not same_struct(*(go_struct(_CLAIM_SPEC, one) for one in (spec, before))):
        yield forbidden("spec", f"{_CLAIM_UPDATABLE}\n{go_diff(_CLAIM_SPEC, before, spec)}")
    if new_size < old_size:
        capacity = quantity.parse(child(child(old, "status"), "capacity").get("storage") or "0")
        if not capacity < new_size:
            yield forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")
    yield from immutable(spec.get("volumeMode"), child(old, "spec").get("volumeMode"), "volumeMode")


def validate_volume(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from _access_modes(spec, "spec")
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
    yield from _volume_source(spec, affinity)
    attributes = spec.get("volumeAttributesClassName")
    if attributes is None:
        return
    if not attributes:
        yield required("spec.volumeAttributesClassName", "an empty string is disallowed")
    else:
        yield from text(attributes, "spec.volumeAttributesClassName", dns1123_subdomain)
    if spec.get("csi") is None:
        yield required("spec.csi", "has to be specified when using volumeAttributesClassName")


def _volume_source(spec: Object, affinity: Object | None, path: str = "spec") -> Errors:
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


def validate_attachment(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from _driver_name(spec.get("attacher") or "", "spec.attacher")
    source, at = child(spec, "source"), "spec.source"
    given = [name for name in ("inlineVolumeSpec", "persistentVolumeName") if source.get(name) is not None]
    if not given:
        yield required(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
    elif len(given) > 1:
        yield forbidden(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
    elif "inlineVolumeSpec" in given:
        yield from _inline_volume(source["inlineVolumeSpec"], f"{at}.inlineVolumeSpec")
    else:
        name = source["persistentVolumeName"]
        if not name:
            yield required(f"{at}.persistentVolumeName", "must specify non empty persistentVolumeName")
        yield from text(name, f"{at}.persistentVolumeName", dns1123_subdomain)
    yield from text(spec.get("nodeName") or "", "spec.nodeName", dns1123_subdomain)


_NOT_INLINE = "may not be specified in the context of inline volumes"


def _inline_volume(spec: Object, path: str) -> Errors:
    """A volume of a pod's own, as it was before it became a CSI driver's: no claim, class or size."""
    for name in ("capacity", "claimRef"):
        if spec.get(name):
            yield forbidden(f"{path}.{name}", _NOT_INLINE)
    if spec.get("persistentVolumeReclaimPolicy"):
        yield forbidden(f"{path}.persistentVolumeReclaimPolicy", _NOT_INLINE)
    if spec.get("csi") is None:
        yield required(f"{path}.csi", "has to be specified in the context of inline volumes")
    if items(spec, "accessModes"):
        yield from _access_modes(spec, path)
    else:
        yield required(f"{path}.accessModes")
    yield from _volume_source(spec, spec.get("nodeAffinity"), path)
    if spec.get("storageClassName"):
        yield forbidden(f"{path}.storageClassName", _NOT_INLINE)
    if spec.get("volumeMode") not in (None, "Filesystem"):
        detail = "may not specify volumeMode other than Filesystem in the context of inline volumes"
        yield forbidden(f"{path}.volumeMode", detail)


def validate_attachment_update(obj: Object, old: Object) -> Errors:
    new, before = (go_struct("k8s.io.api.storage.v1.VolumeAttachmentSpec", child(one, "spec")) for one in (obj, old))
    if not same_struct(new, before):
        yield invalid("spec", new, IMMUTABLE)


_MAX_TEXT = 256 * 1024  # which is said of errors, too, that may not pass 1 KiB
_MAX_LENGTH_OF_ERROR = 1024


def validate_attachment_status(obj: Object, old: Object) -> Errors:
    """What an attacher reports: nothing without a name, nothing endless."""
    status = child(obj, "status")
    size = 0
    for key, value in child(status, "attachmentMetadata").items():
        size += len(key.encode()) + len(value.encode())
    if size > _MAX_TEXT:
        yield too_long("status.attachmentMetadata", _MAX_TEXT)
    for name in ("attachError", "detachError"):
        problem, at = child(status, name), f"status.{name}"
        if len((problem.get("message") or "").encode()) > _MAX_LENGTH_OF_ERROR:
            yield too_long(f"{at}.message", _MAX_TEXT)
        code = problem.get("errorCode")
        if code is not None and code < 0:
            yield invalid(f"{at}.errorCode", code, range_error(0, 2**31 - 1))


def validate_csi_driver(obj: Object) -> Errors:
    spec = child(obj, "spec")
    for name in ("attachRequired", "podInfoOnMount", "storageCapacity"):
        if spec.get(name) is None:
            yield required(f"spec.{name}")
    for mode in items(spec, "volumeLifecycleModes"):
        if mode not in ("Ephemeral", "Persistent"):
            yield not_supported("spec.volumeLifecycleModes", mode, ("Persistent", "Ephemeral"), in_order=True)
    policies = ("File", "None", "ReadWriteOnceWithFSType")
    if spec.get("fsGroupPolicy") is not None and spec["fsGroupPolicy"] not in policies:
        yield not_supported("spec.fsGroupPolicy", spec["fsGroupPolicy"], policies)
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < 10:
        what = "must be greater than or equal to 10 seconds"
        yield invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, what)
    audiences = set()
    for index, request in enumerate(items(spec, "tokenRequests")):
        at, audience = f"spec.tokenRequests[{index}]", request.get("audience") or ""
        if audience in audiences:
            yield duplicate(f"{at}.audience", audience)
        audiences.add(audience)
        seconds = request.get("expirationSeconds")
        if seconds is not None and seconds < 600:
            yield invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    in_secrets = spec.get("serviceAccountTokenInSecrets")
    if in_secrets is not None and not audiences:
        detail = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
        yield invalid("spec.serviceAccountTokenInSecrets", in_secrets, detail)


def csi_driver_warnings(obj: Object, old: Object | None) -> list[str]:
    """Tokens had better not be among the attributes of volumes."""
    spec = child(obj, "spec")
    if same(spec.get("tokenRequests"), child(old or {}, "spec").get("tokenRequests")):
        return []
    if spec.get("tokenRequests") and spec.get("serviceAccountTokenInSecrets") is None:
        return [
            "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent "
            "possible logging of tokens in volume attributes"
        ]
    return []


def validate_csi_driver_update(obj: Object, old: Object) -> Errors:
    """How volumes are attached and lived with is the driver's nature."""
    spec, before = child(obj, "spec"), child(old, "spec")
    if spec.get("attachRequired") != before.get("attachRequired"):
        yield invalid("spec.attachedRequired", spec.get("attachRequired"), IMMUTABLE)
    if not same(spec.get("volumeLifecycleModes"), before.get("volumeLifecycleModes")):
        yield invalid("spec.volumeLifecycleModes", spec.get("volumeLifecycleModes"), IMMUTABLE)


def validate_csi_node(obj: Object) -> Errors:
    names = set()
    for index, driver in enumerate(items(child(obj, "spec"), "drivers")):
        at = f"spec.drivers[{index}]"
        name, node = driver.get("name") or "", driver.get("nodeID") or ""
        if len(name) > 63:
            yield too_long(f"{at}.name", 63)
        if not name:
            yield required(f"{at}.name")
        for problem in dns1123_subdomain(name.lower()) if name else ():
            yield invalid(f"{at}.name", name, problem)
        if not node:
            yield required(f"{at}.nodeID")
        elif len(node) > 256:
            yield invalid(f"{at}.nodeID", node, "must be 256 characters or less")
        if name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
        keys = items(driver, "topologyKeys")
        for place, key in enumerate(keys):
            if key in keys[:place]:
                yield duplicate(at, key)
            if not key:
                yield required(at)
            yield from text(key, at, qualified_name)
        count = child(driver, "allocatable").get("count")
        if count is not None and count < 0:
            yield invalid(f"{at}.allocatable.count", count, min_error(0))


def validate_csi_node_update(obj: Object, old: Object) -> Errors:
    """A driver comes and goes as it is; only how many volumes it takes may change."""
    before = {driver.get("name"): driver for driver in items(child(old, "spec"), "drivers")}
    for driver in items(child(obj, "spec"), "drivers"):
        had = before.get(driver.get("name"))
        kept = ("nodeID", "topologyKeys")
        if had is None or all(same(driver.get(name), had.get(name)) for name in kept):
            continue
        shown = Struct(
            Name=driver.get("name") or "",
            NodeID=driver.get("nodeID") or "",
            TopologyKeys=driver.get("topologyKeys") or None,
            Allocatable=None,  # which was left out of the comparison
        )
        yield invalid("spec.drivers", shown, IMMUTABLE)
