"""Any object that decodes can be defaulted, validated and converted: problems are answers, never exceptions."""

import copy
import random
from typing import Any

import pytest

from kybern.kube import schema
from kybern.kube.defaults import apply_create_defaults, apply_defaults
from kybern.kube.validation import validate_create, validate_subresource_update, validate_update

TEXTS = ("", "a", "A_b", "x/y", "10.0.0.1", "::1/64", "a.b/c", "100%", "kubernetes.io/tls", "-", "é", "* * * * *")
LEAVES = {
    "quantity": ("0", "1", "100m", "-1", "1Gi"),
    "int-or-string": (0, 80, -1, "http", "25%", ""),
    "date-time": ("2024-01-01T00:00:00Z",),
    "micro-time": ("2024-01-01T00:00:00.000001Z",),
    "byte": ("", "YQ==", "e30="),
}


class Maker:
    """Random values of a definition, a little deeper than wide."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.definitions = schema.load().definitions

    def value(self, part: schema.Definition, depth: int) -> Any:
        part = schema.load().resolve(part)
        if part.get("format") in LEAVES:
            return self.random.choice(LEAVES[part["format"]])
        if "enum" in part and self.random.random() < 0.8:
            return self.random.choice(part["enum"])
        match part.get("type"):
            case "object":
                return self.object(part, depth)
            case "array":
                count = self.random.choice((0, 1, 1, 2)) if depth > 0 else 0
                return [self.value(part["items"], depth - 1) for _ in range(count)]
            case "integer":
                return self.random.choice((0, 1, 2, 80, -1, 70000))
            case "number":
                return 0.5
            case "boolean":
                return self.random.random() < 0.5
            case None:
                return {}
        return self.random.choice(TEXTS)

    def object(self, part: schema.Definition, depth: int) -> dict[str, Any]:
        if "properties" in part:
            share = 0.6 if depth > 0 else 0.1
            chosen = [name for name in part["properties"] if self.random.random() < share]
            return {name: self.value(part["properties"][name], depth - 1) for name in chosen}
        inner = part.get("additionalProperties")
        if inner is None:
            return {}
        return {self.random.choice(TEXTS): self.value(inner, depth - 1) for _ in range(self.random.choice((0, 1, 2)))}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("info", list(schema.load().resources.values()), ids=lambda info: "/".join(info.gvr))
def test_any_object(info: schema.ResourceInfo, seed: int) -> None:
    definition = schema.definition(info.gvk)
    assert definition is not None
    maker = Maker(seed)
    objects = []
    for _ in range(2):
        obj = maker.value(definition, 9)
        obj |= {"apiVersion": info.api_version, "kind": info.kind}
        obj.setdefault("metadata", {})
        schema.prune(definition, obj)
        apply_defaults(info, obj)
        again = copy.deepcopy(obj)
        apply_defaults(info, again)
        assert again == obj
        assert schema.check(definition, obj) == ([], [])
        objects.append(obj)
    new, old = objects
    for errors in (validate_create(info, new), validate_update(info, new, old), validate_update(info, old, new)):
        assert all(str(error) for error in errors)
    for subresource in info.subresources:
        validate_subresource_update(info, subresource, new, old)
    assert schema.convert(new, info.storage_api_version)["apiVersion"] == info.storage_api_version
    apply_create_defaults(info, new)
