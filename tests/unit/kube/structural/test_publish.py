"""Custom kinds in OpenAPI v2."""

from typing import Any

import pytest

from kybern.kube.structural.publish import definitions, for_v2

KEEP = {"x-kubernetes-preserve-unknown-fields": True}
GVK = [{"group": "example.com", "version": "v1", "kind": "Tab"}]
PARTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "object that keeps anything": ({"type": "object", "properties": {"a": {"type": "string"}}, **KEEP}, KEEP),
    "array that keeps anything": ({"type": "array", "items": {"type": "string"}, **KEEP}, KEEP),
    "nullable": ({"type": "string", "nullable": True, "description": "d"}, {"description": "d"}),
    "default": ({"type": "string", "default": "a", "example": "b"}, {"type": "string", "example": "b"}),
    "open": ({"type": "object", "additionalProperties": True}, {"type": "object", "additionalProperties": True}),
    "alternatives": ({"type": "string", "anyOf": [{"pattern": "a"}]}, {"type": "string"}),
}


@pytest.mark.parametrize("case", PARTS)
def test_parts(case: str) -> None:
    schema, wanted = PARTS[case]
    assert for_v2(schema) == wanted


def test_a_kind_that_keeps_anything_lists_nothing() -> None:
    schema = {"type": "object", "description": "d", "properties": {"spec": {"type": "object"}}, **KEEP}
    item = definitions("example.com", "v1", "Tab", "TabList", schema)["com.example.v1.Tab"]
    assert for_v2(item) == {"type": "object", "x-kubernetes-group-version-kind": GVK}


def test_selectable_fields_are_told_of_the_kind_and_its_list() -> None:
    made = definitions("example.com", "v1", "Tab", "Tabs", {"type": "object"}, [".spec.a"])
    told = {"x-kubernetes-selectable-fields": [{"fieldPath": "spec.a"}]}
    assert all(told.items() <= made[f"com.example.v1.{name}"].items() for name in ("Tab", "Tabs"))


WHOLE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "number or text": (
        {"x-kubernetes-int-or-string": True},
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
    ),
    "says so itself": (
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}], "maximum": 3},
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}], "maximum": 3},
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_members_in_v3(case: str) -> None:
    schema, wanted = WHOLE[case]
    item = definitions("example.com", "v1", "Tab", "TabList", {"type": "object", "properties": {"a": schema}})
    assert item["com.example.v1.Tab"]["properties"]["a"] == wanted


def test_embedded_resources_need_a_kind() -> None:
    part = {"type": "object", "x-kubernetes-embedded-resource": True, "required": ["spec"], **KEEP}
    item = definitions("example.com", "v1", "Tab", "TabList", {"type": "object", "properties": {"a": part}})
    assert item["com.example.v1.Tab"]["properties"]["a"]["required"] == ["spec", "kind", "apiVersion"]
