"""VolumeAttachment, CSIDriver, CSINode."""

from kybern.kube.field import Struct, duplicate, forbidden, invalid, not_supported, required, too_long
from kybern.kube.go_struct import go_struct, same_struct
from kybern.kube.validation.fields import IMMUTABLE, Errors, Object, child, items, same, text
from kybern.kube.validation.names import dns1123_subdomain, min_error, qualified_name, range_error
from kybern.kube.validation.persistent_volume import access_modes, volume_source


def _driver_name(name: str, path: str) -> Errors:
    """A CSI driver's name is a subdomain of 63 bytes at most, in whatever case."""
    if not name:
        yield required(path)
    if len(name) > 63:
        yield too_long(path, 63)
    for problem in dns1123_subdomain(name.lower()) if name else ():
        yield invalid(path, name, problem)


def validate_attachment(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from _driver_name(spec.get("attacher") or "", "spec.attacher")
    source, at = child(spec, "source"), "spec.source"
    given = [name for name in ("inlineVolumeSpec", "persistentVolumeName") if source.get(name) is not None]
    if not given:
        yield required(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
    elif len(given) > 1:
        yield forbidden(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
    if given == ["inlineVolumeSpec"]:
        yield from _inline_volume(source["inlineVolumeSpec"], f"{at}.inlineVolumeSpec")
    elif given:
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
        yield from access_modes(spec, path)
    else:
        yield required(f"{path}.accessModes")
    yield from volume_source(spec, spec.get("nodeAffinity"), path)
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
    policies = ("File", "None", "ReadWriteOnceWithFSType")
    if spec.get("fsGroupPolicy") is not None and spec["fsGroupPolicy"] not in policies:
        yield not_supported("spec.fsGroupPolicy", spec["fsGroupPolicy"], policies)
    audiences = set()
    for index, request in enumerate(items(spec, "tokenRequests")):
        at, audience = f"spec.tokenRequests[{index}]", request.get("audience") or ""
        if audience in audiences:
            yield duplicate(f"{at}.audience", audience)
        audiences.add(audience)
        seconds = request.get("expirationSeconds")
        if seconds is not None and seconds < 600:
            yield invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
        if seconds is not None and seconds > 1 << 32:
            yield invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    for mode in items(spec, "volumeLifecycleModes"):
        if mode not in ("Ephemeral", "Persistent"):
            yield not_supported("spec.volumeLifecycleModes", mode, ("Persistent", "Ephemeral"), in_order=True)
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < 10:
        what = "must be greater than or equal to 10 seconds"
        yield invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, what)
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
