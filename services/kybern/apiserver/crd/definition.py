"""Reading a CustomResourceDefinition: which resources it asks for, in which versions, and in what state it is."""

import re
from dataclasses import dataclass
from typing import Any

from kybern.kube.schema import ResourceInfo, SubresourceInfo
from kybern.kube.structural import CustomKind, Scale, compile_schema

Object = dict[str, Any]
GROUP, VERSION, RESOURCE = "apiextensions.k8s.io", "v1", "customresourcedefinitions"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
VERBS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"})
SUBRESOURCE_VERBS = frozenset({"get", "patch", "update"})
_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_STABILITY = {"alpha": 0, "beta": 1, None: 2}


@dataclass(frozen=True)
class CustomVersion:
    """One version that a definition names."""

    info: ResourceInfo
    kind: CustomKind
    served: bool
    storage: bool


def condition(crd: Object, kind: str) -> Object:
    """The condition of a type; empty if there is none."""
    found = (crd.get("status") or {}).get("conditions") or ()
    return next((one for one in found if one.get("type") == kind), {})


def is_established(crd: Object) -> bool:
    """Whether its resources are served."""
    return condition(crd, "Established").get("status") == "True"


def authorities(crd: Object) -> str:
    """The caBundle of its webhook, in base64."""
    webhook = (crd["spec"].get("conversion") or {}).get("webhook") or {}
    return (webhook.get("clientConfig") or {}).get("caBundle") or ""


def is_terminating(crd: Object) -> bool:
    """Whether it is being deleted: no object is created any more."""
    return bool(crd["metadata"].get("deletionTimestamp"))


def shape(crd: Object) -> Object:
    """What its resources follow from: another shape is served anew."""
    status = crd.get("status") or {}
    return {"spec": crd["spec"], "names": status.get("acceptedNames"), "terminating": is_terminating(crd)}


def version_order(version: str) -> tuple[int, int, int, int, str]:
    """Kubernetes' order of versions, most preferred first: v2, v1, v1beta2, v1beta1, v1alpha1, then others by name."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return 1, 0, 0, 0, version
    return 0, -_STABILITY[match[2]], -int(match[1]), -int(match[3] or 0), ""


def needs_webhook(crd: Object) -> bool:
    """Whether its objects change between versions in ways that only a webhook knows."""
    spec = crd.get("spec") or {}
    return (spec.get("conversion") or {}).get("strategy") == "Webhook" and len(spec.get("versions") or ()) > 1


def versions(crd: Object) -> list[CustomVersion]:
    """Every version, most preferred first."""
    spec = crd["spec"]
    names = (crd.get("status") or {}).get("acceptedNames") or spec["names"]
    found = [_version(crd, names, version) for version in spec["versions"]]
    return sorted(found, key=lambda version: version_order(version.info.version))


def _version(crd: Object, names: Object, version: Object) -> CustomVersion:
    spec = crd["spec"]
    subresources = version.get("subresources") or {}
    info = ResourceInfo(
        group=spec["group"],
        version=version["name"],
        resource=spec["names"]["plural"],
        kind=spec["names"]["kind"],
        singular=names.get("singular") or spec["names"]["kind"].lower(),
        namespaced=spec["scope"] == "Namespaced",
        verbs=VERBS,
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=_subresources(spec, version["name"], subresources),
        own_list_kind=names.get("listKind") or "",
    )
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {"x-kubernetes-preserve-unknown-fields": True}
    kind = CustomKind(
        schema,
        compile_schema(schema),
        status="status" in subresources,
        scale=_scale(subresources),
        selectable=tuple(field["jsonPath"] for field in version.get("selectableFields") or ()),
        preserve=bool(spec.get("preserveUnknownFields")),
        warning=_warning(spec, version),
        api_versions=frozenset(f"{spec['group']}/{one['name']}" for one in spec["versions"]),
        columns=tuple(version.get("additionalPrinterColumns") or ()),
        ending=is_terminating(crd),
    )
    return CustomVersion(info, kind, bool(version.get("served")), bool(version.get("storage")))


def _subresources(spec: Object, version: str, given: Object) -> dict[str, SubresourceInfo]:
    found = {}
    if "status" in given:
        kind = spec["names"]["kind"]
        found["status"] = SubresourceInfo("status", kind, spec["group"], version, SUBRESOURCE_VERBS)
    if "scale" in given:
        found["scale"] = SubresourceInfo("scale", "Scale", "autoscaling", "v1", SUBRESOURCE_VERBS)
    return found


def _scale(given: Object) -> Scale | None:
    scale = given.get("scale")
    if not scale:
        return None
    return Scale(scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath") or "")


def _warning(spec: Object, version: Object) -> str:
    """What clients of a deprecated version are told."""
    if not version.get("deprecated"):
        return ""
    if version.get("deprecationWarning"):
        return str(version["deprecationWarning"])
    group, kind, order = spec["group"], spec["names"]["kind"], version_order(version["name"])
    living = [one["name"] for one in spec["versions"] if one.get("served") and not one.get("deprecated")]
    better = min((name for name in living if version_order(name) < order), key=version_order, default="")
    instead = f"; use {group}/{better} {kind}" if better else ""
    return f"{group}/{version['name']} {kind} is deprecated{instead}"
