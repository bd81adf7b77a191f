"""Enumerations from the schema tables, for every kind: a fallback below the hand-written rules."""

from functools import cache

from kybern.kube.field import FieldError, not_supported
from kybern.kube.schema import ResourceInfo, load
from kybern.kube.validation.fields import Errors, Object

_SKIPPED = frozenset({"status", "metadata"})
# Checked by hand, in part under other paths.
_BY_HAND = frozenset(
    {
        "io.k8s.api.apps.v1.DaemonSetUpdateStrategy",
        "io.k8s.api.apps.v1.DeploymentStrategy",
        "io.k8s.api.apps.v1.StatefulSetSpec",
        "io.k8s.api.apps.v1.StatefulSetUpdateStrategy",
        "io.k8s.api.batch.v1.JobSpec",
        "io.k8s.api.core.v1.PersistentVolumeClaimSpec",
        "io.k8s.api.core.v1.PersistentVolumeSpec",
        "io.k8s.api.core.v1.PodSpec",
        "io.k8s.api.core.v1.ResourceQuotaSpec",
        "io.k8s.api.core.v1.ScopedResourceSelectorRequirement",
        "io.k8s.api.core.v1.Taint",
        "io.k8s.api.networking.v1.NetworkPolicySpec",
        "io.k8s.api.resource.v1.ResourceClaimSpec",
        "io.k8s.api.resource.v1.ResourceSliceSpec",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ValidationRule",
    }
)


def validate_enums(info: ResourceInfo, obj: Object) -> list[FieldError]:
    """Unsupported values anywhere but in status and metadata; empty text counts as absent."""
    name = load().names.get(info.gvk)
    if name is None or name not in _with_enums():
        return []
    return list(_walk(name, {key: value for key, value in obj.items() if key not in _SKIPPED}, ""))


@cache
def _with_enums() -> frozenset[str]:
    """Definitions at or below which some field is an enumeration."""
    definitions = load().definitions
    found = {
        name
        for name, schema in definitions.items()
        if name not in _BY_HAND
        and any("enum" in prop or "enum" in prop.get("items", ()) for prop in schema.get("properties", {}).values())
    }
    while True:
        more = {
            name
            for name, schema in definitions.items()
            if name not in found and name not in _BY_HAND and any(target in found for _, target in _edges(schema))
        }
        if not more:
            return frozenset(found)
        found |= more


def _edges(schema: Object) -> list[tuple[str, str]]:
    edges: list[tuple[str, str]] = []
    for member, prop in schema.get("properties", {}).items():
        places = (prop, prop.get("items", {}), prop.get("additionalProperties", {}))
        edges += [(member, place["$ref"]) for place in places if "$ref" in place]
    return edges


def _walk(name: str, obj: Object, path: str) -> Errors:
    properties = load().definitions[name].get("properties", {})
    for member, value in obj.items():
        prop = properties.get(member)
        if not value or prop is None:
            continue
        at = f"{path}.{member}" if path else member
        if "enum" in prop:
            if value not in prop["enum"]:
                yield not_supported(at, value, prop["enum"])
        elif prop.get("$ref") in _with_enums():
            yield from _walk(prop["$ref"], value, at)
        elif "items" in prop:
            yield from _walk_list(prop["items"], value, at)
        elif prop.get("additionalProperties", {}).get("$ref") in _with_enums():
            for key, item in value.items():
                yield from _walk(prop["additionalProperties"]["$ref"], item, f"{at}[{key}]")


def _walk_list(schema: Object, values: list[Object], path: str) -> Errors:
    if "enum" in schema:
        for index, value in enumerate(values):
            if value not in schema["enum"]:
                yield not_supported(f"{path}[{index}]", value, schema["enum"])
    elif schema.get("$ref") in _with_enums():
        for index, value in enumerate(values):
            yield from _walk(schema["$ref"], value or {}, f"{path}[{index}]")
