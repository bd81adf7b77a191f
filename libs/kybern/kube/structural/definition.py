"""Structural rules: every value has one type, said outside of allOf, anyOf, oneOf and not; nothing else is served."""

from collections.abc import Iterator
from typing import Any

from kybern.kube.field import ErrorType, FieldError, forbidden, invalid, required
from kybern.kube.structural.default_rules import check_defaults
from kybern.kube.structural.go_form import SCHEMA, schema_form, shown
from kybern.kube.structural.node import Definition
from kybern.kube.structural.openapi_rules import check_openapi

Errors = Iterator[FieldError]
ROOT, ITEM, FIELD = "root", "item", "field"
INT, TEXT = {"type": "integer"}, {"type": "string"}
_EMPTY_TYPE = {
    ROOT: "must not be empty at the root",
    ITEM: "must not be empty for specified array items",
    FIELD: "must not be empty for specified object fields",
}
# What no structural schema says, and how that is refused if nothing else is wrong.
_UNKNOWN = {
    "$schema": "'schema' is not supported",
    "id": "'id' is not supported",
    "$ref": "'$ref' is not supported",
    "patternProperties": "'patternProperties' is not supported",
    "additionalItems": "'additionalItems' is not supported",
    "definitions": "'definitions' is not supported",
    "dependencies": "'dependencies' is not supported",
}
# What may not be said inside of allOf, anyOf, oneOf and not, and how the refusal goes on.
_ONLY_OUTSIDE = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    "x-kubernetes-preserve-unknown-fields": "must be false to be structural",
    "x-kubernetes-embedded-resource": "must be false to be structural",
    "x-kubernetes-int-or-string": "must be false to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
    "x-kubernetes-validations": "must be empty to be structural",
}
_BESIDE_STATUS = (
    "Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern "
    "MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields "
    "XValidations"
)
# Beside its name, a root's metadata says nothing that is checked.
_METADATA_SAYS = ("type", "default", "properties")


def check_schema(schema: Definition, path: str, has_status: bool = False) -> list[FieldError]:
    """Every error of an openAPIV3Schema; `has_status`: its version has the status subresource."""
    errors = list(_beside_status(schema, path)) if has_status else []
    if schema.get("nullable"):
        errors.append(forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    unknown = _not_structural(schema)
    if not unknown:
        found = sorted({str(one): one for one in (*_invariants(schema, path, ROOT), *_complete(schema, path))}.items())
        errors += (one for _, one in found)
        if not found:
            errors += check_defaults(schema, path)
    structural = not unknown and all(
        error.type == ErrorType.FORBIDDEN and error.field == f"{path}.nullable" for error in errors
    )
    plain = list(check_openapi(schema, path))
    errors += plain
    if structural and not plain and _has_rules(schema):
        from kybern.kube.structural.rule_checks import check_all  # CEL is loaded when a schema first needs it

        errors += check_all(schema, path)
    if unknown and not plain:
        errors.append(invalid(path, "", f"OpenAPIV3Schema {unknown}"))
    return errors


def _beside_status(schema: Definition, path: str) -> Errors:
    for go, name, _ in SCHEMA:
        if not schema.get(name):
            continue
        if name == "type" and schema[name] != "object":
            detail = (
                'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
            )
            yield invalid(f"{path}.type", schema[name], detail)
            return
        if go not in _BESIDE_STATUS.split():
            detail = f"only [{_BESIDE_STATUS}] fields are allowed at the root of the schema if the status subresource"
            yield invalid(path, shown(schema_form(schema)), f"{detail} is enabled")
            return


def _has_rules(schema: Definition) -> bool:
    return bool(schema.get("x-kubernetes-validations")) or any(map(_has_rules, _all_children(schema)))


def _not_structural(schema: Definition) -> str:
    """What keeps the schema from being read as a structural one, or ""."""
    for name, problem in _UNKNOWN.items():
        if schema.get(name) or (name == "$ref" and schema.get(name) is not None):
            return problem
    if isinstance(schema.get("items"), list) and schema["items"]:
        return "'items' must be a schema and not an array"
    return next(filter(None, map(_not_structural, _all_children(schema))), "")


def _all_children(schema: Definition) -> list[Definition]:
    parts = [schema.get("items"), schema.get("additionalProperties"), schema.get("not")]
    for name in ("allOf", "anyOf", "oneOf"):
        parts += schema.get(name) or ()
    return [part for part in (*parts, *(schema.get("properties") or {}).values()) if isinstance(part, dict)]


def _invariants(schema: Definition, path: str, level: str) -> Errors:
    kind, embedded = schema.get("type") or "", bool(schema.get("x-kubernetes-embedded-resource"))
    preserve, int_or_string = (
        bool(schema.get(f"x-kubernetes-{name}")) for name in ("preserve-unknown-fields", "int-or-string")
    )
    items, more = schema.get("items"), schema.get("additionalProperties")
    if isinstance(items, dict):
        yield from _invariants(items, f"{path}.items", ITEM)
    elif kind == "array":
        yield required(f"{path}.items", "must be specified")
    for name, child in (schema.get("properties") or {}).items():
        yield from _invariants(child, f"{path}.properties[{name}]", FIELD)
    if more is not None and level == ROOT:
        yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
    if isinstance(more, dict):
        yield from _invariants(more, f"{path}.additionalProperties", FIELD)
    if int_or_string:
        for name in ("preserve-unknown-fields", "embedded-resource"):
            if schema.get(f"x-kubernetes-{name}"):
                detail = "must be false if x-kubernetes-int-or-string is true"
                yield invalid(f"{path}.x-kubernetes-{name}", True, detail)
    yield from _alternatives(schema, path, True)
    if embedded and kind != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        yield invalid(f"{path}.type", kind, detail) if kind else required(f"{path}.type", detail)
    elif not kind and not int_or_string and schema.get("x-kubernetes-preserve-unknown-fields") is None:
        yield required(f"{path}.type", _EMPTY_TYPE[level])
    if embedded and more is not None:
        yield forbidden(f"{path}.additionalProperties", "must not be used if x-kubernetes-embedded-resource is set")
    if level == ROOT and kind and kind != "object":
        yield invalid(f"{path}.type", kind, "must be object at the root")
    if level == ROOT or embedded:
        yield from _type_members(schema.get("properties") or {}, f"{path}.properties", level == ROOT)
    if embedded and not preserve and not schema.get("properties"):
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        yield required(f"{path}.properties", detail)


def _type_members(properties: dict[str, Any], path: str, is_root: bool) -> Errors:
    for name in ("kind", "apiVersion"):
        if name in properties and properties[name].get("type") != "string":
            yield invalid(f"{path}[{name}].type", properties[name].get("type") or "", "must be string")
    metadata = properties.get("metadata")
    if metadata is None:
        return
    if metadata.get("type") != "object":
        yield invalid(f"{path}[metadata].type", metadata.get("type") or "", "must be object")
    says = any(value for name, value in metadata.items() if name not in _METADATA_SAYS)
    if is_root and (says or set(metadata.get("properties") or ()) - {"name", "generateName"}):
        detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield forbidden(f"{path}[metadata]", detail)


def _alternatives(schema: Definition, path: str, is_outside: bool) -> Errors:
    """Outside, `anyOf: [integer, string]` is how int-or-string is said, alone or first in `allOf`."""
    any_of, all_of = schema.get("anyOf") or [], schema.get("allOf") or []
    said = is_outside and any_of == [INT, TEXT]
    if not said:
        for index, child in enumerate(any_of):
            yield from _nested(child, f"{path}.anyOf[{index}]")
    for index, child in enumerate(all_of):
        first = is_outside and not said and index == 0 and (child or {}).get("anyOf") == [INT, TEXT]
        yield from _nested({**child, "anyOf": []} if first else child, f"{path}.allOf[{index}]")
    for index, child in enumerate(schema.get("oneOf") or ()):
        yield from _nested(child, f"{path}.oneOf[{index}]")
    if isinstance(schema.get("not"), dict):
        yield from _nested(schema["not"], f"{path}.not")


def _nested(schema: Definition | None, path: str) -> Errors:
    schema = schema or {}
    yield from _alternatives(schema, path, False)
    if isinstance(schema.get("items"), dict):
        yield from _nested(schema["items"], f"{path}.items")
    for name, child in (schema.get("properties") or {}).items():
        yield from _nested(child, f"{path}.properties[{name}]")
    for name, detail in _ONLY_OUTSIDE.items():
        if schema.get(name) not in (None, False, "", []):
            yield forbidden(f"{path}.{name}", detail)
    if "metadata" in (schema.get("properties") or ()):
        yield forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")


def _complete(schema: Definition, path: str) -> Errors:
    """What the root's alternatives speak of is declared outside of them."""
    yield from _spoken_of(schema, schema, path, path)


def _spoken_of(alternatives: Definition, outside: Definition | None, outer: str, path: str) -> Errors:
    for name in ("allOf", "anyOf", "oneOf"):
        for index, child in enumerate(alternatives.get(name) or ()):
            yield from _declared(child or {}, outside, outer, f"{path}.{name}[{index}]")
    if isinstance(alternatives.get("not"), dict):
        yield from _declared(alternatives["not"], outside, outer, f"{path}.not")


def _declared(nested: Definition, outside: Definition | None, outer: str, path: str) -> Errors:
    if outside is None:
        yield required(outer, f"because it is defined in {path}")
        return
    yield from _spoken_of(nested, outside, outer, path)
    if isinstance(nested.get("items"), dict):
        items = outside.get("items")
        yield from _declared(
            nested["items"], items if isinstance(items, dict) else None, f"{outer}.items", f"{path}.items"
        )
    more = outside.get("additionalProperties")
    for name, child in (nested.get("properties") or {}).items():
        inner = (outside.get("properties") or {}).get(name)
        at = f"{outer}.properties[{name}]"
        if inner is None and isinstance(more, dict):
            inner, at = more, f"{outer}.additionalProperties"
        yield from _declared(child, inner, at, f"{path}.properties[{name}]")
