# ruff: noqa: E501 (a message of upstream's stays in one piece)
"""Schemas of definitions: what is not structural, and what else a definition may not say."""

from typing import Any

import pytest

from kybern.kube.structural.crd import check_change, check_definition
from kybern.kube.structural.definition import check_schema

AT = "spec.validation.openAPIV3Schema"
TEXT = {"type": "string"}


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


SCHEMAS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "plain": (obj(spec=obj(a=TEXT), status={"type": "object", "additionalProperties": TEXT}), []),
    "int or string": (obj(a={"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, TEXT]}), []),
    "preserve": ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, []),
    "no type": ({}, [".type: Required value: must not be empty at the root"]),
    "root": ({"type": "string"}, ['.type: Invalid value: "string": must be object at the root']),
    "field": (obj(a={}), [".properties[a].type: Required value: must not be empty for specified object fields"]),
    "items": (
        obj(a={"type": "array", "items": {}}),
        [".properties[a].items.type: Required value: must not be empty for specified array items"],
    ),
    "array": (obj(a={"type": "array"}), [".properties[a].items: Required value: must be specified"]),
    "unknown type": (
        obj(a={"type": "text"}),
        ['.properties[a].type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", '
         '"object", "string"'],
    ),
    "both": (
        obj(a={"type": "object", "properties": {"b": TEXT}, "additionalProperties": TEXT}),
        [".properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"],
    ),
    "both, anything": (obj(a={"type": "object", "properties": {"b": TEXT}, "additionalProperties": True}), []),
    "reference": (obj(a={**TEXT, "$ref": "x"}), [".properties[a].$ref: Forbidden: $ref is not supported"]),
    "unique": (
        obj(a={"type": "array", "items": TEXT, "uniqueItems": True}),
        [".properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity "
         "becomes quadratic"],
    ),
    "type within": (
        obj(a={"type": "string", "anyOf": [{"type": "string"}]}),
        [".properties[a].anyOf[0].type: Forbidden: must be empty to be structural"],
    ),
    "unknown within": (
        {"type": "object", "allOf": [{"properties": {"b": {"minimum": 1}}}]},
        [f".properties[b]: Required value: because it is defined in {AT}.allOf[0].properties[b]"],
    ),
    "unknown within, deeper": (obj(a={"type": "object", "allOf": [{"properties": {"b": {"minimum": 1}}}]}), []),
    "nullable root": ({**obj(), "nullable": True}, [".nullable: Forbidden: nullable cannot be true at the root"]),
    "nullable items of a set": (
        obj(a={"type": "array", "x-kubernetes-list-type": "set", "items": {**TEXT, "nullable": True}}),
        [".properties[a].items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is set"],
    ),
    "sets of objects": (
        obj(a={"type": "array", "x-kubernetes-list-type": "set", "items": obj(b=TEXT)}),
        [".properties[a].items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with "
         "x-kubernetes-list-type=set"],
    ),
    "default of metadata": (
        obj(metadata={"type": "object", "default": {"name": "a"}}),
        [".properties[metadata].default: Forbidden: must not be set in top-level metadata"],
    ),
    "default that breaks a rule": (
        obj(a={**TEXT, "default": "b", "x-kubernetes-validations": [{"rule": "self == 'a'"}]}),
        ['.properties[a].default: Invalid value: "b": failed rule: self == \'a\''],
    ),
    "not kept": (
        obj(a={**TEXT, "x-kubernetes-preserve-unknown-fields": False}),
        [".properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined"],
    ),
    "metadata": (
        obj(metadata=obj(labels={"type": "object"})),
        [".properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata "
         "is implicitly specified"],
    ),
    "map without keys": (
        obj(a={"type": "array", "x-kubernetes-list-type": "map", "items": obj(k=TEXT)}),
        [".properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"],
    ),
    "key not required": (
        obj(a={"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": obj(k=TEXT)}),
        [".properties[a].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, "
         "so it must have a default or be a required property"],
    ),
    "pattern": (
        obj(a={"type": "string", "pattern": "("}),
        ['.properties[a].pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: error '
         "parsing regexp: missing closing ): `(`"],
    ),
    "wrong default": (
        obj(a={"type": "integer", "default": "x"}),
        ['.properties[a].default: Invalid value: "string":  in body must be of type integer: "string"'],
    ),
    "default with unknown fields": (
        obj(a={**obj(b=TEXT), "default": {"c": 1}}),
        ['.properties[a].default: Invalid value: {"c":1}: must not have unknown fields'],
    ),
    "default of metadata with unknown fields": (
        obj(a={**obj(metadata={"type": "object", "default": {"name": "n", "more": 1}}), "x-kubernetes-embedded-resource": True}),
        [],
    ),
    "default of metadata of a wrong type": (
        obj(a={**obj(metadata={"type": "object", "default": {"labels": 1}}), "x-kubernetes-embedded-resource": True}),
        ['.properties[a].properties[metadata].default: Invalid value: {"labels":1}: must result in valid metadata: metadata: '
         'Invalid value: {"labels":1}: json: cannot unmarshal number into Go struct field ObjectMeta.labels of type map[string]string'],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas(name: str) -> None:
    schema, expected = SCHEMAS[name]
    assert [str(error) for error in check_schema(schema, AT)] == [AT + line for line in expected]


def definition(group: str = "example.com", **version: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": f"tabs.{group}"},
        "status": {"storedVersions": ["v1"]},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "tabs", "singular": "tab", "kind": "Tab", "listKind": "TabList"},
            "versions": [
                {
                    "name": "v1", "served": True, "storage": True,
                    "schema": {"openAPIV3Schema": obj(spec=obj(a=TEXT, b={"type": "array", "items": TEXT}))},
                }
                | version
            ],
        },
    }  # fmt: skip


V = "spec"  # what all versions have in common
VERSIONS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "plain": ({}, []),
    "scale outside": (
        {"subresources": {"scale": {"specReplicasPath": ".a", "statusReplicasPath": ".status.b"}}},
        [f'{V}.subresources.scale.specReplicasPath: Invalid value: ".a": should be a json path under .spec'],
    ),
    "scale without": (
        {"subresources": {"scale": {"specReplicasPath": ".spec.a"}}},
        [f"{V}.subresources.scale.statusReplicasPath: Required value"],
    ),
    "column": (
        {"additionalPrinterColumns": [{"name": "A", "type": "text", "jsonPath": "a"}]},
        [f'{V}.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string',
         f'{V}.additionalPrinterColumns[0].JSONPath: Invalid value: "a": must be a simple json path starting with .'],
    ),
    "selectable list": (
        {"selectableFields": [{"jsonPath": ".spec.b"}]},
        [f'{V}.selectableFields[0].jsonPath: Invalid value: ".spec.b": must point to a field of type string, boolean or '
         "integer. Enum string fields and strings with formats are allowed."],
    ),
    "not served": ({"served": False}, []),
}  # fmt: skip


@pytest.mark.parametrize("name", VERSIONS)
def test_versions(name: str) -> None:
    version, expected = VERSIONS[name]
    found = [str(error) for error in check_definition(definition(**version))]
    assert found == expected


def test_protected_groups() -> None:
    (error,) = check_definition(definition("x.k8s.io"))
    assert str(error).startswith(
        "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation"
    )
    approved = definition("x.k8s.io")
    approved["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, a test"}
    assert check_definition(approved) == []


def test_a_version_that_stays_is_not_judged_again() -> None:
    wrong = definition(selectableFields=[{"jsonPath": ".spec.b"}])
    changed = {**wrong, "spec": {**wrong["spec"], "names": {**wrong["spec"]["names"], "shortNames": ["t"]}}}
    assert check_change(changed, wrong) == []


def test_versions_that_differ_are_named() -> None:
    several = definition()
    (first,) = several["spec"]["versions"]
    bad = {"openAPIV3Schema": {"type": "object", "properties": {"spec": {}}}}
    several["spec"]["versions"] = [first, {**first, "name": "v2", "storage": False, "schema": bad}]
    (error,) = check_definition(several)
    assert error.field == "spec.versions[1].schema.openAPIV3Schema.properties[spec].type"


def test_authorities_may_stay_broken() -> None:
    def converted(bundle: str) -> dict[str, Any]:
        client = {"url": "https://example.com", "caBundle": bundle}
        crd = definition()
        crd["spec"]["conversion"] = {
            "strategy": "Webhook",
            "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]},
        }
        crd["status"]["conditions"] = [{"type": "Established", "status": "True"}]
        return crd

    assert check_definition(converted("Cg==")) == []
    assert check_change(converted("Cg=="), converted("eA==")) == []
    (error,) = check_change(converted("Cg=="), converted(""))
    assert str(error) == (
        'spec.conversion.webhookClientConfig.caBundle: Invalid value: "Cg==": unable to load root certificates: unable to '
        "parse bytes as PEM block"
    )
