"""Access reviews: exactly one kind of attributes, a subject, selectors that say something, and no metadata."""

from typing import Any

from kybern.kube.field import Struct, forbidden, invalid, required
from kybern.kube.validation.fields import Errors, Object, items, text
from kybern.kube.validation.names import label_value, qualified_name

_METADATA = (
    "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp",
    "deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers",
)  # fmt: skip
_MANAGED = ("manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource")


def validate_access_review(review: Object, *, subject: bool, local: bool = False) -> Errors:
    """`subject`: the review names one; `local`: it is about its own namespace."""
    spec = review.get("spec") or {}
    yield from _attributes(spec)
    if subject and not spec.get("user") and not spec.get("groups"):
        yield invalid("spec.user", "", "at least one of user or group must be specified")
    yield from _selectors(spec.get("resourceAttributes") or {}, "spec.resourceAttributes")
    yield from _metadata(review["metadata"], local)
    if local:
        yield from _local(spec, review["metadata"].get("namespace") or "")


def _attributes(spec: Object) -> Errors:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        yield invalid(
            "spec.nonResourceAttributes", _shown(path), "cannot be specified in combination with resourceAttributes"
        )
    if resource is None and path is None:
        yield invalid(
            "spec.resourceAttributes",
            None,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        )


def _metadata(metadata: Object, local: bool) -> Errors:
    allowed = ("managedFields", "namespace") if local else ("managedFields",)
    if any(value for name, value in metadata.items() if name not in allowed):
        yield invalid(
            "metadata", in_go_order(metadata), "must be empty except for namespace" if local else "must be empty"
        )


def in_go_order(metadata: Object) -> Struct:
    """Metadata as Go prints it."""
    managed = [
        Struct({name: entry[name] for name in _MANAGED if name in entry}) for entry in items(metadata, "managedFields")
    ]
    known = {name: metadata[name] for name in _METADATA if metadata.get(name)}
    return Struct({**known, "managedFields": managed} if managed else known)


def _local(spec: Object, namespace: str) -> Errors:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and (asked := resource.get("namespace") or "") != namespace:
        yield invalid("spec.resourceAttributes.namespace", asked, "must match metadata.namespace")
    if path is not None:
        yield invalid("spec.nonResourceAttributes", _shown(path), "disallowed on this kind of request")


def _shown(path: Object) -> dict[str, Any]:
    """Attributes as upstream's own type shows them."""
    return {"Path": path.get("path") or "", "Verb": path.get("verb") or ""}


def _selectors(resource: Object, path: str) -> Errors:
    for name in ("fieldSelector", "labelSelector"):
        selector = resource.get(name)
        if selector is None:
            continue
        at, raw, requirements = f"{path}.{name}", selector.get("rawSelector"), items(selector, "requirements")
        if raw and requirements:
            yield invalid(f"{at}.rawSelector", raw, "may not specified at the same time as requirements")
        if not raw and not requirements:
            yield required(f"{at}.requirements", f"when {at} is specified, requirements or rawSelector is required")
        for index, requirement in enumerate(requirements):
            yield from _requirement(requirement, f"{at}.requirements[{index}]", labels=name == "labelSelector")


def _requirement(requirement: Object, path: str, *, labels: bool) -> Errors:
    """An operator that is not known may be one of a newer client's."""
    operator, values, key = requirement.get("operator"), items(requirement, "values"), requirement.get("key") or ""
    if not labels and not key:
        yield required(f"{path}.key", "must be specified")
    if operator in ("In", "NotIn") and not values:
        yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    if operator in ("Exists", "DoesNotExist") and values:
        yield forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    if labels:
        yield from text(key, f"{path}.key", qualified_name)
        for position, value in enumerate(values):
            yield from text(value, f"{path}.values[{position}]", label_value)
