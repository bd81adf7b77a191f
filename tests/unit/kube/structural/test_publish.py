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
