"""Reset fields: what an endpoint cannot change, so that no manager comes to own it there."""

from kybern.kube.managed_fields import FieldSet, from_paths
from kybern.kube.schema import ResourceInfo

_METADATA, _SPEC, _STATUS = ("f:metadata",), ("f:spec",), ("f:status",)

# Status endpoints that leave more alone than the spec.
_ON_STATUS = {
    ("", "pods"): (_SPEC, ("f:metadata", "f:deletionTimestamp"), ("f:metadata", "f:ownerReferences")),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"): (_METADATA, _SPEC),
    ("apiregistration.k8s.io", "apiservices"): (_METADATA, _SPEC),
    ("apps", "deployments"): (_SPEC, ("f:metadata", "f:labels")),
    ("certificates.k8s.io", "certificatesigningrequests"): (_SPEC, ("f:status", "f:conditions")),
    ("flowcontrol.apiserver.k8s.io", "flowschemas"): (_METADATA, _SPEC),
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"): (_METADATA, _SPEC),
    ("networking.k8s.io", "servicecidrs"): (_METADATA, _SPEC),
    ("resource.k8s.io", "resourceclaims"): (_METADATA, _SPEC),
    ("storage.k8s.io", "volumeattachments"): (_METADATA, _SPEC),
}


def reset_fields(stored: ResourceInfo, subresource: str, custom: bool = False) -> FieldSet:
    """The fields, those below them included, that a write to this endpoint leaves as they are."""
    if subresource == "status":
        if custom:
            return from_paths([_METADATA, _SPEC])
        return from_paths(_ON_STATUS.get((stored.group, stored.resource), (_SPEC,)))
    if subresource == "approval":
        return from_paths([_SPEC, ("f:status", "f:certificate")])
    if subresource == "ephemeralcontainers":  # leaves more alone, but says nothing of that
        return {}
    if stored.resource == "certificatesigningrequests":  # what is requested is requested once and for all
        return from_paths([_SPEC, _STATUS])
    return from_paths([_STATUS]) if "status" in stored.subresources else {}


_ALL_BUT_OWN = ("labels", "annotations", "finalizers", "ownerReferences", "generation", "deletionTimestamp")


def kept_metadata(stored: ResourceInfo, custom: bool) -> tuple[str, ...] | None:
    """The members of metadata that a write of the status leaves as they are; None for all of them."""
    if custom or stored.group == "flowcontrol.apiserver.k8s.io":
        return None
    paths = _ON_STATUS.get((stored.group, stored.resource), ())
    if _METADATA in paths:
        return _ALL_BUT_OWN
    return tuple(path[-1][2:] for path in paths if path[0] == "f:metadata")
