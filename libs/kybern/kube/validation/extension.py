"""Kinds that extend or steer the API: APIService, addresses, reviews."""

import base64
import ipaddress

from kybern.kube.field import forbidden, invalid, not_supported, required
from kybern.kube.go_struct import go_struct
from kybern.kube.validation.fields import (
    IMMUTABLE,
    Errors,
    Object,
    child,
    immutable,
    items,
    required_text,
    text,
)  # fmt: skip
from kybern.kube.validation.names import (
    cidr,
    dns1035_label,
    dns1123_subdomain,
    label_value,
    path_segment,
    qualified_name,
)

_ANSWERS = ("True", "False", "Unknown")


def validate_api_service(obj: Object) -> Errors:
    spec, metadata = child(obj, "spec"), child(obj, "metadata")
    group, version = spec.get("group") or "", spec.get("version") or ""
    wanted = f"{version}.{group}"
    for name in ("generateName", "name"):
        if metadata.get(name) and metadata[name] != wanted:
            yield invalid(f"metadata.{name}", metadata[name], f'must be `spec.version+"."+spec.group`: "{wanted}"')
    if not group:
        if version != "v1":
            yield required("spec.group", "only v1 may have an empty group and it better be legacy kube")
    else:
        yield from text(group, "spec.group", dns1123_subdomain)
    for problem in dns1035_label(version):
        yield invalid("spec.version", version, problem)
    for name, high in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        value = spec.get(name) or 0
        if not 0 < value <= high:
            yield invalid(f"spec.{name}", value, f"must be positive and less than {high}")
    service = spec.get("service")
    if service is None:
        if spec.get("caBundle"):
            size = f"{len(base64.b64decode(spec['caBundle']))} bytes"
            yield invalid("spec.caBundle", size, "local APIServices may not have a caBundle")
        if spec.get("insecureSkipTLSVerify"):
            detail = "local APIServices may not have insecureSkipTLSVerify"
            yield invalid("spec.insecureSkipTLSVerify", True, detail)
        return
    for name in ("namespace", "name"):
        yield from required_text(service, name, "spec.service")
    port = service.get("port")
    if port is not None and not 0 < port < 65536:
        yield invalid("spec.service.port", port, "port is not valid: must be between 1 and 65535, inclusive")
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        yield invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present")


def validate_api_service_status(obj: Object, old: Object) -> Errors:
    """A write of the status: conditions that say yes, no or unknown."""
    for index, condition in enumerate(items(child(obj, "status"), "conditions")):
        given = condition.get("status") or ""
        if given not in _ANSWERS:
            yield not_supported(f"status.conditions[{index}].status", given, _ANSWERS, in_order=True)


def address_name(name: str) -> list[str]:
    """An IPAddress is named after its address."""
    try:
        return [] if str(ipaddress.ip_address(name)) == name else ["must be in canonical form"]
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]


def validate_ip_address(obj: Object) -> Errors:
    parent = child(obj, "spec").get("parentRef")
    if parent is None:
        yield required("spec.parentRef")
        return
    if parent.get("group"):
        yield from text(parent["group"], "spec.parentRef.group", dns1123_subdomain)
    for field in ("resource", "name"):
        yield from required_text(parent, field, "spec.parentRef", path_segment)
    if parent.get("namespace"):
        yield from text(parent["namespace"], "spec.parentRef.namespace", path_segment)


def validate_ip_address_update(obj: Object, old: Object) -> Errors:
    """An address stays with whom it is given to."""
    message = "k8s.io.api.networking.v1.ParentReference"
    new, before = (go_struct(message, child(one, "spec").get("parentRef")) for one in (obj, old))
    if new != before:
        yield invalid("spec.parentRef", new, IMMUTABLE)


def validate_service_cidr(obj: Object) -> Errors:
    ranges = items(child(obj, "spec"), "cidrs")
    if not ranges:
        yield required("spec.cidrs", "at least one CIDR required")
    elif len(ranges) > 2:
        yield invalid("spec.cidrs", ranges, "may only hold up to 2 values")
    else:
        yield from _ranges(ranges)


def _ranges(ranges: list[str]) -> Errors:
    wrong = [error for index, value in enumerate(ranges) for error in text(value, f"spec.cidrs[{index}]", cidr)]
    yield from wrong
    if len(ranges) == 2 and not wrong and len({":" in value for value in ranges}) == 1:
        detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        yield invalid("spec.cidrs", ranges, detail)


def validate_service_cidr_update(obj: Object, old: Object) -> Errors:
    """The ranges stay; one of the other family may be added to a single one."""
    new, before = items(child(obj, "spec"), "cidrs"), items(child(old, "spec"), "cidrs")
    added = (len(before), len(new)) == (1, 2)
    if len(new) != len(before) and not added:
        yield invalid("spec.cidrs", new or None, IMMUTABLE)
        return
    for index, (value, had) in enumerate(zip(new, before, strict=False)):
        yield from immutable(value, had, f"spec.cidrs[{index}]")
    if added:
        yield from _ranges(new)


_MIN_TOKEN, _MAX_TOKEN = 600, 2**32


def validate_token_request(obj: Object) -> Errors:
    seconds = child(obj, "spec").get("expirationSeconds", 3600)
    if seconds < _MIN_TOKEN:
        yield invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    elif seconds > _MAX_TOKEN:
        yield invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")


def validate_access_review(obj: Object) -> Errors:
    """SubjectAccessReview and its self and local forms: exactly one kind of attributes, and somebody to ask about."""
    spec = child(obj, "spec")
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and other is not None:
        detail = "cannot be specified in combination with resourceAttributes"
        yield invalid("spec.nonResourceAttributes", other, detail)
    elif resource is None and other is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        yield invalid("spec.resourceAttributes", other, detail)
    if resource is not None:
        yield from _review_selector(resource.get("fieldSelector"), "fieldSelector", labels=False)
        yield from _review_selector(resource.get("labelSelector"), "labelSelector", labels=True)
    if obj.get("kind") != "SelfSubjectAccessReview" and not spec.get("user") and not items(spec, "groups"):
        yield invalid("spec.user", "", "at least one of user or group must be specified")


def _review_selector(selector: Object | None, name: str, labels: bool) -> Errors:
    if selector is None:
        return
    at = f"spec.resourceAttributes.{name}"
    raw, requirements = selector.get("rawSelector") or "", items(selector, "requirements")
    if raw and requirements:
        yield invalid(f"{at}.rawSelector", raw, "may not specified at the same time as requirements")
    if not raw and not requirements:
        detail = f"when {at} is specified, requirements or rawSelector is required"
        yield required(f"{at}.requirements", detail)
    for index, one in enumerate(requirements):
        path, values = f"{at}.requirements[{index}]", items(one, "values")
        if not labels and not one.get("key"):
            yield required(f"{path}.key", "must be specified")
        if one.get("operator") in ("In", "NotIn") and not values:
            yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif one.get("operator") in ("Exists", "DoesNotExist") and values:
            yield forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        if labels:
            yield from text(one.get("key") or "", f"{path}.key", qualified_name)
            for number, value in enumerate(values):
                yield from text(value, f"{path}.values[{number}]", label_value)


def validate_token_review(obj: Object) -> Errors:
    if not child(obj, "spec").get("token"):
        yield required("spec.token")
