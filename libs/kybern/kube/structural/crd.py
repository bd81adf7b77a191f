"""CustomResourceDefinition: its group, scope, names, versions, conversion and record of stored versions, in order.

What all versions have in common is judged once, as upstream moves it to the top of the spec and names it there. On
updates, schemas and columns of versions that stay as they were are not judged again.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from kybern.kube.field import FieldError, forbidden, invalid, not_supported, required
from kybern.kube.schema import DecodeError, prune
from kybern.kube.structural.crd_versions import check_columns, check_deprecation, check_selectable, check_subresources
from kybern.kube.structural.definition import check_schema
from kybern.kube.structural.go_form import shown, version_form
from kybern.kube.validation.certificate_pem import bundle_problem
from kybern.kube.validation.fields import child, immutable, items
from kybern.kube.validation.names import dns1035_label, dns1123_subdomain
from kybern.kube.validation.webhook_client import client_config, review_versions

Object = dict[str, Any]
Errors = Iterator[FieldError]
SCOPES = ("Cluster", "Namespaced")
_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
APPROVED = "api-approved.kubernetes.io"
_PROTECTED = re.compile(r"(^|\.)(k8s|kubernetes)\.io$")
_SAME_NAME = 'must be spec.names.plural+"."+spec.group'
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]")


def check_definition(obj: Object) -> list[FieldError]:
    """Every error of a new definition."""
    return [*_names_itself(obj), *_spec(child(obj, "spec")), *_stored(obj), *_approval(obj)]


def check_change(new: Object, old: Object) -> list[FieldError]:
    """As `check_definition`, for an update, with what may not change."""
    spec, before = child(new, "spec"), child(old, "spec")
    conditions = child(old, "status").get("conditions") or ()
    established = any(one.get("type") == "Established" and one.get("status") == "True" for one in conditions)
    trusting = established and not bundle_problem(_bundle(child(before, "conversion")))
    errors = list(
        _spec(spec, {version.get("name"): version for version in items(before, "versions")}, before, trusting)
    )
    if established:
        errors += immutable(spec.get("scope"), before.get("scope"), "spec.scope")
        kind, was = (child(one, "names").get("kind") or "" for one in (spec, before))
        errors += immutable(kind, was, "spec.names.kind")
    errors += immutable(spec.get("group"), before.get("group"), "spec.group")
    plural, was = (child(one, "names").get("plural") for one in (spec, before))
    errors += immutable(plural, was, "spec.names.plural")
    return [*errors, *_stored(new)]


def coerce_schemas(obj: Object) -> None:
    """Give the schemas inside `items` and `additionalProperties` their shape, in place. Raises DecodeError."""
    for version in items(child(obj, "spec"), "versions"):
        schema = child(version, "schema").get("openAPIV3Schema")
        if isinstance(schema, dict):
            _coerce(schema)


def _coerce(schema: Object) -> None:
    for name in ("items", "additionalProperties"):
        inner = schema.get(name)
        if isinstance(inner, dict):
            prune({"$ref": _SCHEMA}, inner)
        elif inner is not None and not isinstance(inner, list if name == "items" else bool):
            raise DecodeError(f"json: cannot unmarshal into Go struct field JSONSchemaProps.{name}")
    for inner in (schema.get("items"), schema.get("additionalProperties"), schema.get("not")):
        if isinstance(inner, dict):
            _coerce(inner)
    for name in ("allOf", "anyOf", "oneOf"):
        for inner in schema.get(name) or ():
            _coerce(inner)
    for inner in (schema.get("properties") or {}).values():
        _coerce(inner)


def _names_itself(obj: Object) -> Errors:
    spec, metadata = child(obj, "spec"), child(obj, "metadata")
    wanted = f"{child(spec, 'names').get('plural') or ''}.{spec.get('group') or ''}"
    for name in ("generateName", "name"):
        value = metadata.get(name)
        if value:
            if value != wanted:
                yield invalid(f"metadata.{name}", value, _SAME_NAME)
            for problem in dns1123_subdomain(value) if name == "name" else ():
                yield invalid(f"metadata.{name}", value, problem)


def _spec(
    spec: Object, before: dict[Any, Object] | None = None, old: Object | None = None, trusting: bool = False
) -> Errors:
    """`before`: the versions that an update finds, by name; `old`: its spec; `trusting`: it has no broken caBundle."""
    yield from _group(spec.get("group") or "")
    yield from _enumerated(spec.get("scope") or "", "spec.scope", SCOPES)
    if spec.get("preserveUnknownFields"):
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        yield invalid("spec.preserveUnknownFields", True, detail)
    versions = items(spec, "versions")
    for index, version in enumerate(versions):
        if child(version, "schema").get("openAPIV3Schema") is None:
            yield required(f"spec.versions[{index}].schema.openAPIV3Schema")
    common = _common(versions)
    changed = [at for at, version in enumerate(versions) if (before or {}).get(version.get("name")) != version]
    for index, version in enumerate(versions):
        for problem in dns1035_label(version.get("name") or ""):
            yield invalid(f"spec.versions[{index}].name", version.get("name") or "", problem)
        yield from _version(version, f"spec.versions[{index}]", common, index in changed)
    yield from _all_versions(spec, versions, common)
    yield from _names(child(spec, "names"))
    if versions:
        for member in _MEMBERS:
            if member in common and (changed or not old):
                yield from _MEMBERS[member](versions[0], _TOP[member])
    if "conversion" in spec:
        yield from _conversion(child(spec, "conversion"), "spec.conversion", trusting)


def _group(group: str) -> Errors:
    if not group:
        yield required("spec.group")
    elif problems := dns1123_subdomain(group):
        yield invalid("spec.group", group, ",".join(problems))
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")


def _enumerated(value: str, path: str, known: tuple[str, ...]) -> Errors:
    if not value:
        yield required(path)
    elif value not in known:
        yield not_supported(path, value, known)


def _common(versions: list[Object]) -> frozenset[str]:
    """The members that are the same in every version."""
    return frozenset(
        member for member in _MEMBERS if all(version.get(member) == versions[0].get(member) for version in versions)
    )


def _version(version: Object, path: str, common: frozenset[str], changed: bool) -> Errors:
    yield from check_deprecation(version, path)
    for member, judge in _MEMBERS.items():
        if member not in common and changed:
            yield from judge(version, f"{path}.{member}")


def _all_versions(spec: Object, versions: list[Object], common: frozenset[str]) -> Errors:
    names = [version.get("name") or "" for version in versions]
    form = None
    if versions or ("versions" in spec and spec["versions"] is not None):
        form = shown([version_form(version, common) for version in versions])
    if len(set(names)) < len(names):
        yield invalid("spec.versions", form, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid("spec.versions", form, "must have exactly one version marked as storage version")
    if names and names[0]:
        problems = dns1035_label(names[0])
        if problems:
            yield invalid("spec.version", names[0], ",".join(problems))


def _names(names: Object) -> Errors:
    for name in ("plural", "singular", "kind", "listKind"):
        if not names.get(name):
            yield required(f"spec.names.{name}")
    yield from check_names(names, "spec.names")


def check_names(names: Object, path: str) -> Errors:
    """Names, as far as there are any."""
    for name in ("plural", "singular"):
        value = names.get(name)
        if value and (problems := dns1035_label(value)):
            yield invalid(f"{path}.{name}", value, ",".join(problems))
    yield from _labels(names, "shortNames", path)
    for name in ("kind", "listKind"):
        value = names.get(name) or ""
        if value and (problems := dns1035_label(value.lower())):
            mixed = "may have mixed case, but should otherwise match: "
            yield invalid(f"{path}.{name}", value, mixed + ",".join(problems))
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid(f"{path}.listKind", names["listKind"], "kind and listKind may not be the same")
    yield from _labels(names, "categories", path)


def _labels(names: Object, member: str, path: str) -> Errors:
    for index, name in enumerate(items(names, member)):
        if problems := dns1035_label(name or ""):
            yield invalid(f"{path}.{member}[{index}]", name, ",".join(problems))


def _schema(version: Object, path: str) -> Errors:
    schema = child(version, "schema").get("openAPIV3Schema")
    if isinstance(schema, dict):
        has_status = child(version, "subresources").get("status") is not None
        yield from check_schema(schema, f"{path}.openAPIV3Schema", has_status)


def _selectable_fields(version: Object, path: str) -> Errors:
    schema = child(version, "schema").get("openAPIV3Schema")
    fields = items(version, "selectableFields")
    if fields:
        yield from check_selectable(fields, schema if isinstance(schema, dict) else {}, path)


_MEMBERS: dict[str, Callable[[Object, str], Errors]] = {
    "schema": _schema,
    "subresources": lambda version, path: check_subresources(child(version, "subresources"), path),
    "additionalPrinterColumns": lambda version, path: check_columns(items(version, "additionalPrinterColumns"), path),
    "selectableFields": _selectable_fields,
}
_TOP = {
    "schema": "spec.validation",
    "subresources": "spec.subresources",
    "additionalPrinterColumns": "spec.additionalPrinterColumns",
    "selectableFields": "spec.selectableFields",
}


def _bundle(conversion: Object) -> str:
    return child(child(conversion, "webhook"), "clientConfig").get("caBundle") or ""


def _conversion(conversion: Object, path: str, trusting: bool) -> Errors:
    """The members of `webhook` are named as if they stood in `conversion` itself."""
    strategy, webhook = conversion.get("strategy") or "", conversion.get("webhook") or {}
    if not strategy:
        yield required(f"{path}.strategy")
    elif strategy not in ("None", "Webhook"):
        yield not_supported(f"{path}.strategy", strategy, ("None", "Webhook"))
    client, reviews = webhook.get("clientConfig"), items(webhook, "conversionReviewVersions")
    if strategy == "Webhook":
        at = f"{path}.webhookClientConfig"
        if client is None:
            yield required(at, "required when strategy is set to Webhook")
        else:
            yield from client_config(client, at)
            bundle = _bundle(conversion)
            if trusting and (problem := bundle_problem(bundle)):
                yield invalid(f"{at}.caBundle", bundle, problem)
        yield from review_versions(reviews, f"{path}.conversionReviewVersions")
        return
    for name, value in (("webhookClientConfig", client), ("conversionReviewVersions", reviews)):
        if value:
            yield forbidden(f"{path}.{name}", "should not be set when strategy is not set to Webhook")


def _stored(obj: Object) -> Errors:
    """Every version that objects are stored in is there, and the present storage version is on the record."""
    stored, path = child(obj, "status").get("storedVersions"), "status.storedVersions"
    if not stored:
        yield invalid(path, stored, "must have at least one stored version")
    versions = items(child(obj, "spec"), "versions")
    names = {version.get("name") or "" for version in versions}
    for version in versions:
        name = version.get("name") or ""
        if stored and version.get("storage") and name not in stored:
            yield invalid(path, stored, f"must have the storage version {name}")
    for index, name in enumerate(stored or ()):
        if name not in names:
            detail = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            yield invalid(f"{path}[{index}]", name, detail)


def is_protected(obj: Object) -> bool:
    """Whether a definition is in a group that is Kubernetes' own."""
    return bool(_PROTECTED.search(child(obj, "spec").get("group") or ""))


def is_approval(value: str) -> bool:
    """Whether an annotation says who has approved a definition, or why nobody has."""
    return value.startswith("unapproved") or bool(_URL.match(value))


def approval_needed(value: str) -> str:
    """What is wrong with the annotation of a definition in a protected group."""
    page = "https://github.com/kubernetes/enhancements/pull/1111"
    more = ' with either a URL or a reason starting with "unapproved"' if value else ""
    return f'protected groups must have approval annotation "{APPROVED}"{more}, see {page}'


def _approval(obj: Object) -> Errors:
    if not is_protected(obj):
        return
    value = (child(obj, "metadata").get("annotations") or {}).get(APPROVED) or ""
    at = f"metadata.annotations[{APPROVED}]"
    if not value:
        yield required(at, approval_needed(value))
    elif not is_approval(value):
        yield invalid(at, value, approval_needed(value))
