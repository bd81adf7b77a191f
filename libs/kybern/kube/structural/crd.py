"""CustomResourceDefinition: its frame, its versions' schemas, columns, subresources and selectable fields."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from kybern.kube.field import FieldError, duplicate, forbidden, invalid, not_supported, required, too_many
from kybern.kube.schema import DecodeError, prune
from kybern.kube.structural.definition import check_schema
from kybern.kube.tables import json_path
from kybern.kube.validation.fields import child, items
from kybern.kube.validation.names import dns1035_label
from kybern.kube.validation.webhook_client import client_config, review_versions

Object = dict[str, Any]
Errors = Iterator[FieldError]
COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
APPROVED = "api-approved.kubernetes.io"
_PROTECTED = re.compile(r"(^|\.)(k8s|kubernetes)\.io$")
MOST_SELECTABLE = 8


def check_definition(obj: Object) -> list[FieldError]:
    """What the frame's own rules (`kube.validation`) do not say; runs on create and update."""
    return list(_definition(obj))


def check_change(new: Object, old: Object) -> list[FieldError]:
    """As `check_definition`, for an update: schemas and columns that stay as they were are not judged again."""
    if child(new, "spec") == child(old, "spec"):
        return []
    before = {version.get("name"): version for version in items(child(old, "spec"), "versions")}
    return list(_definition(new, before))


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


def _definition(obj: Object, before: dict[Any, Object] | None = None) -> Errors:
    spec = child(obj, "spec")
    group = spec.get("group") or ""
    if before is None and _PROTECTED.search(group):
        yield from _approval(child(obj, "metadata"))
    if spec.get("preserveUnknownFields"):
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        yield invalid("spec.preserveUnknownFields", True, detail)
    for index, name in enumerate(items(child(spec, "names"), "shortNames")):
        for problem in dns1035_label(name):
            yield invalid(f"spec.names.shortNames[{index}]", name, problem)
    for index, name in enumerate(items(child(spec, "names"), "categories")):
        for problem in dns1035_label(name):
            yield invalid(f"spec.names.categories[{index}]", name, problem)
    versions = items(spec, "versions")
    if versions and not any(version.get("served") for version in versions):
        yield invalid("spec.versions", versions, "must have at least one version with served=true")
    changed = [at for at, version in enumerate(versions) if (before or {}).get(version.get("name")) != version]
    yield from _versions(versions, changed)
    yield from _conversion(child(spec, "conversion"), "spec.conversion")


def _approval(metadata: Object) -> Errors:
    value = (metadata.get("annotations") or {}).get(APPROVED)
    at = f"metadata.annotations[{APPROVED}]"
    page = "https://github.com/kubernetes/enhancements/pull/1111"
    if value is None:
        yield required(at, f'protected groups must have approval annotation "{APPROVED}", see {page}')
    elif not value.startswith(("unapproved", "https://", "http://")):
        detail = (
            f'protected groups must have approval annotation "{APPROVED}" with either a URL or a reason starting with '
            f'"unapproved", see {page}'
        )
        yield invalid(at, value, detail)


def _versions(versions: list[Object], changed: list[int]) -> Errors:
    """What all versions have in common is judged once: upstream moves it to the top of the spec, and names it there."""
    for member, (top, judge) in _MEMBERS.items():
        if all(version.get(member) == versions[0].get(member) for version in versions):
            if changed:
                yield from judge(versions[0], top)
            continue
        for at in changed:
            yield from judge(versions[at], f"spec.versions[{at}].{member}")
    for at in changed:
        warning = versions[at].get("deprecationWarning")
        if warning is not None and not versions[at].get("deprecated"):
            yield invalid(f"spec.versions[{at}].deprecationWarning", warning, "can only be set for deprecated versions")


def _schema(version: Object, path: str) -> Errors:
    schema = child(version, "schema").get("openAPIV3Schema")
    if isinstance(schema, dict):
        yield from check_schema(schema, f"{path}.openAPIV3Schema")


def _subresources(version: Object, path: str) -> Errors:
    subresources = child(version, "subresources")
    if "scale" in subresources:
        yield from _scale(subresources["scale"] or {}, f"{path}.scale")


def _columns(version: Object, path: str) -> Errors:
    for index, column in enumerate(items(version, "additionalPrinterColumns")):
        yield from _column(column, f"{path}[{index}]")


def _selectable_fields(version: Object, path: str) -> Errors:
    schema = child(version, "schema").get("openAPIV3Schema")
    yield from _selectable(items(version, "selectableFields"), schema if isinstance(schema, dict) else {}, path)


_MEMBERS: dict[str, tuple[str, Callable[[Object, str], Errors]]] = {
    "schema": ("spec.validation", _schema),
    "subresources": ("spec.subresources", _subresources),
    "additionalPrinterColumns": ("spec.additionalPrinterColumns", _columns),
    "selectableFields": ("spec.selectableFields", _selectable_fields),
}


def _scale(scale: Object, path: str) -> Errors:
    for name, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        value = scale.get(name) or ""
        if not value:
            yield required(f"{path}.{name}")
        else:
            yield from _simple_path(value, f"{path}.{name}", (root,), f"should be a json path under {root[:-1]}")
    selector = scale.get("labelSelectorPath")
    if selector:
        detail = "should be a json path under either .spec or .status"
        yield from _simple_path(selector, f"{path}.labelSelectorPath", (".spec.", ".status."), detail)


def _simple_path(value: str, path: str, roots: tuple[str, ...], detail: str) -> Errors:
    if not value.startswith("."):
        yield invalid(path, value, "must be a simple json path starting with .")
    elif not value.startswith(roots):
        yield invalid(path, value, detail)


def _column(column: Object, path: str) -> Errors:
    if not column.get("name"):
        yield required(f"{path}.name")
    kind = column.get("type") or ""
    if not kind:
        yield required(f"{path}.type", f"must be one of {','.join(COLUMN_TYPES)}")
    elif kind not in COLUMN_TYPES:
        yield invalid(f"{path}.type", kind, f"must be one of {','.join(COLUMN_TYPES)}")
    shape = column.get("format")
    if shape and shape not in COLUMN_FORMATS:
        yield invalid(f"{path}.format", shape, f"must be one of {','.join(COLUMN_FORMATS)}")
    where = column.get("jsonPath") or ""
    if not where:
        yield required(f"{path}.JSONPath")
        return
    if not where.startswith("."):
        yield invalid(f"{path}.JSONPath", where, "must be a simple json path starting with .")
        return
    try:
        json_path.steps(where)
    except ValueError as error:
        yield invalid(f"{path}.JSONPath", where, f"is an invalid path: {error}")


def _selectable(fields: list[Object], schema: Object, path: str) -> Errors:
    if len(fields) > MOST_SELECTABLE:
        yield too_many(path, len(fields), MOST_SELECTABLE)
    seen = set()
    for index, field in enumerate(fields):
        at, where = f"{path}[{index}].jsonPath", field.get("jsonPath") or ""
        if not where:
            yield required(at)
            continue
        if not where.startswith(".") or "[" in where:
            yield invalid(at, where, "is an invalid path: must be a simple json path without array notation")
            continue
        if where == ".metadata" or where.startswith(".metadata."):
            yield invalid(at, where, "must not point to fields in metadata")
            continue
        found = _schema_at(schema, where)
        if found is None:
            yield invalid(at, where, "is an invalid path: does not refer to a valid field")
        elif found.get("type") not in ("string", "boolean", "integer"):
            detail = (
                "must point to a field of type string, boolean or integer. "
                "Enum string fields and strings with formats are allowed."
            )
            yield invalid(at, where, detail)
        if where in seen:
            yield duplicate(at, where)
        seen.add(where)


def _schema_at(schema: Object, where: str) -> Object | None:
    for name in where[1:].split("."):
        inner = (schema.get("properties") or {}).get(name)
        if not isinstance(inner, dict):
            return None
        schema = inner
    return schema


def _conversion(conversion: Object, path: str) -> Errors:
    strategy, webhook = conversion.get("strategy") or "None", conversion.get("webhook")
    if strategy not in ("None", "Webhook"):
        yield not_supported(f"{path}.strategy", strategy, ("None", "Webhook"))
    elif strategy == "None":
        if webhook:
            yield forbidden(f"{path}.webhook", "should not be set when strategy is not set to Webhook")
    elif not webhook or not webhook.get("clientConfig"):
        yield required(f"{path}.webhook.clientConfig", "required when strategy is set to Webhook")
    else:
        yield from client_config(webhook["clientConfig"], f"{path}.webhook.clientConfig")
        at = f"{path}.webhook.conversionReviewVersions"
        yield from review_versions(items(webhook, "conversionReviewVersions"), at)
