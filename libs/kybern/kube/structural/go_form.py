"""A definition's parts as the server's own types print them: how messages show a version or schema that is refused."""

from collections.abc import Callable
from typing import Any

import orjson

from kybern.kube.structural.node import Definition

Member = tuple[str, str, Any]  # the name in Go, the one in JSON, what stands where there is none


def _list(write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda items: [write(item) for item in items]


def _map(write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda items: {name: write(items[name]) for name in sorted(items)}


def _members(table: tuple[Member, ...], given: Any) -> dict[str, Any]:
    given = given or {}
    return {go: _WRITE[name](given[name]) if given.get(name) else given.get(name, zero) for go, name, zero in table}


def _plain(value: Any) -> Any:
    return value


def _items(value: Any) -> Any:
    if isinstance(value, list):
        return {"Schema": None, "JSONSchemas": [schema_form(one) for one in value]}
    return {"Schema": schema_form(value), "JSONSchemas": None}


def _more(value: Any) -> Any:
    return {"Allows": value is not False, "Schema": schema_form(value) if isinstance(value, dict) else None}


def schema_form(schema: Definition | None) -> Any:
    """A schema with every member that it could have."""
    return None if schema is None else _members(SCHEMA, schema)


def version_form(version: Definition, hidden: frozenset[str]) -> Any:
    """A version; members that all versions share are `hidden`: they stand at the top of the spec."""
    return _members(VERSION, {name: value for name, value in version.items() if name not in hidden})


def rule_shown(rule: Definition) -> Any:
    """A rule as the value of an error."""
    return shown(_members(RULE, rule))


def shown(form: Any) -> Any:
    """The form as the value of an error; Go escapes what HTML would read."""
    text = orjson.dumps(form)
    for character in b"<>&":
        text = text.replace(bytes((character,)), b"\\u%04x" % character)
    return orjson.Fragment(text)


VERSION: tuple[Member, ...] = (
    ("Name", "name", ""),
    ("Served", "served", False),
    ("Storage", "storage", False),
    ("Deprecated", "deprecated", False),
    ("DeprecationWarning", "deprecationWarning", None),
    ("Schema", "schema", None),
    ("Subresources", "subresources", None),
    ("AdditionalPrinterColumns", "additionalPrinterColumns", None),
    ("SelectableFields", "selectableFields", None),
)
SCHEMA: tuple[Member, ...] = (
    ("ID", "id", ""), ("Schema", "$schema", ""), ("Ref", "$ref", None), ("Description", "description", ""),
    ("Type", "type", ""), ("Nullable", "nullable", False), ("Format", "format", ""), ("Title", "title", ""),
    ("Default", "default", None), ("Maximum", "maximum", None), ("ExclusiveMaximum", "exclusiveMaximum", False),
    ("Minimum", "minimum", None), ("ExclusiveMinimum", "exclusiveMinimum", False), ("MaxLength", "maxLength", None),
    ("MinLength", "minLength", None), ("Pattern", "pattern", ""), ("MaxItems", "maxItems", None),
    ("MinItems", "minItems", None), ("UniqueItems", "uniqueItems", False), ("MultipleOf", "multipleOf", None),
    ("Enum", "enum", None), ("MaxProperties", "maxProperties", None), ("MinProperties", "minProperties", None),
    ("Required", "required", None), ("Items", "items", None), ("AllOf", "allOf", None), ("OneOf", "oneOf", None),
    ("AnyOf", "anyOf", None), ("Not", "not", None), ("Properties", "properties", None),
    ("AdditionalProperties", "additionalProperties", None), ("PatternProperties", "patternProperties", None),
    ("Dependencies", "dependencies", None), ("AdditionalItems", "additionalItems", None),
    ("Definitions", "definitions", None), ("ExternalDocs", "externalDocs", None), ("Example", "example", None),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields", None),
    ("XEmbeddedResource", "x-kubernetes-embedded-resource", False),
    ("XIntOrString", "x-kubernetes-int-or-string", False), ("XListMapKeys", "x-kubernetes-list-map-keys", None),
    ("XListType", "x-kubernetes-list-type", None), ("XMapType", "x-kubernetes-map-type", None),
    ("XValidations", "x-kubernetes-validations", None),
)  # fmt: skip
RULE: tuple[Member, ...] = (
    ("Rule", "rule", ""),
    ("Message", "message", ""),
    ("MessageExpression", "messageExpression", ""),
    ("Reason", "reason", None),
    ("FieldPath", "fieldPath", ""),
    ("OptionalOldSelf", "optionalOldSelf", None),
)
COLUMN: tuple[Member, ...] = (
    ("Name", "name", ""),
    ("Type", "type", ""),
    ("Format", "format", ""),
    ("Description", "description", ""),
    ("Priority", "priority", 0),
    ("JSONPath", "jsonPath", ""),
)
SCALE: tuple[Member, ...] = (
    ("SpecReplicasPath", "specReplicasPath", ""),
    ("StatusReplicasPath", "statusReplicasPath", ""),
    ("LabelSelectorPath", "labelSelectorPath", None),
)
_SCHEMAS = _list(schema_form)
_WRITE: dict[str, Callable[[Any], Any]] = {
    **{name: _plain for _, name, _ in (*VERSION, *SCHEMA, *RULE, *COLUMN, *SCALE)},
    "schema": lambda given: {"OpenAPIV3Schema": schema_form(given.get("openAPIV3Schema"))},
    "subresources": lambda given: {"Status": given.get("status"), "Scale": _scale(given.get("scale"))},
    "additionalPrinterColumns": _list(lambda given: _members(COLUMN, given)),
    "selectableFields": _list(lambda given: {"JSONPath": given.get("jsonPath", "")}),
    "x-kubernetes-validations": _list(lambda given: _members(RULE, given)),
    "items": _items,
    "additionalProperties": _more,
    "not": schema_form,
    "allOf": _SCHEMAS,
    "anyOf": _SCHEMAS,
    "oneOf": _SCHEMAS,
    "properties": _map(schema_form),
}


def _scale(given: Any) -> Any:
    return None if given is None else _members(SCALE, given)
