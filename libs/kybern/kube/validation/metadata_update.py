"""ObjectMeta in updates: what every kind is told, and what its own rules of metadata say once more.

Formats of labels, annotations and owners are looked at when the object is taken (as new metadata, and as a change), and
again by most kinds: as new metadata (FULL), as a change (CHANGE), or both. Clients may count causes, so each is told as
often as upstream tells it.
"""

from kybern.kube.field import FieldError
from kybern.kube.schema import ResourceInfo, definition
from kybern.kube.validation.fields import Object, child
from kybern.kube.validation.metadata import (
    validate_finalizers,
    validate_formats,
    validate_identity,
    validate_metadata_update,
    validate_standard_finalizers,
)
from kybern.kube.validation.names import Check, path_segment

FULL, CHANGE = "full", "change"

ANY_FINALIZER = frozenset(
    {
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "coordination.k8s.io",
        "node.k8s.io",
    }
)

_BOTH, _CHANGE_FIRST, _FULL, _NOTHING = (FULL, CHANGE), (CHANGE, FULL), (FULL,), ()
_OWN_RULES: dict[tuple[str, ...], str] = {
    _BOTH: "CertificateSigningRequest ClusterRole ClusterRoleBinding CSIStorageCapacity DeviceClass IPAddress Job "
    "Namespace Node ResourceClaim ResourceClaimTemplate Role RoleBinding RuntimeClass StorageClass",
    _CHANGE_FIRST: "APIService ConfigMap ControllerRevision Endpoints Ingress IngressClass PersistentVolumeClaim Pod "
    "Secret ServiceAccount VolumeAttributesClass",
    _FULL: "CSINode EndpointSlice FlowSchema LimitRange MutatingAdmissionPolicy MutatingAdmissionPolicyBinding "
    "MutatingWebhookConfiguration PriorityLevelConfiguration ValidatingAdmissionPolicy "
    "ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration VolumeAttachment",
    (FULL, FULL): "PersistentVolume",
    _NOTHING: "PodDisruptionBudget",
}  # all others: CHANGE alone
_OWN = {kind: parts for parts, kinds in _OWN_RULES.items() for kind in kinds.split()}
_OF_SUBRESOURCES: dict[tuple[str, str], tuple[str, ...]] = {
    ("CertificateSigningRequest", "status"): _BOTH,
    ("CertificateSigningRequest", "approval"): _BOTH,
    ("CronJob", "status"): _NOTHING,
    ("FlowSchema", "status"): _FULL,
    ("PodDisruptionBudget", "status"): _NOTHING,
    ("PriorityLevelConfiguration", "status"): _FULL,
    ("VolumeAttachment", "status"): _FULL,
}
_ALL_ARE_PLACED = frozenset({"binding"})  # nobody looks at what a Binding says of labels


def any_finalizer(info: ResourceInfo) -> bool:
    """Whether finalizers without a domain are taken: by custom resources too, and where no rule looks at metadata."""
    return info.group in ANY_FINALIZER or definition(info.gvk) is None or not _own_rules(info, "")


def metadata_errors(
    info: ResourceInfo, subresource: str, new: Object, old: Object, name: Check
) -> tuple[list[FieldError], list[FieldError]]:
    """What is told before the kind's rules for new objects, and what between these and its rules for changes."""
    if subresource in _ALL_ARE_PLACED:
        return [], []
    metadata, before = child(new, "metadata"), child(old, "metadata")
    formats = [*validate_formats(metadata)]
    finalizers = [*validate_finalizers(metadata)]
    standard = [] if any_finalizer(info) else [*validate_standard_finalizers(metadata)]
    fixed = [*validate_metadata_update(metadata, before)]
    named = [] if subresource else [*validate_identity(metadata, info.namespaced, name)]  # a subresource has its name
    told = {FULL: [*named, *formats, *finalizers, *standard], CHANGE: [*fixed, *formats, *standard]}
    taken = [*validate_identity(metadata, info.namespaced, path_segment)]
    if subresource:
        taken = [error for error in taken if error.field == "metadata.generateName"]
    first = [*taken, *formats, *finalizers, *fixed, *formats]
    parts = _own_rules(info, subresource)
    at = 1 if parts == _BOTH else len(parts)
    first += [error for part in parts[:at] for error in told[part]]
    return first, [error for part in parts[at:] for error in told[part]]


def _own_rules(info: ResourceInfo, subresource: str) -> tuple[str, ...]:
    if info.gvk == ("", "v1", "Event"):
        return _NOTHING
    if subresource:
        return _OF_SUBRESOURCES.get((info.kind, subresource), (CHANGE,))
    return _OWN.get(info.kind, (CHANGE,))
