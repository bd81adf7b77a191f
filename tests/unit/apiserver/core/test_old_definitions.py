"""Definitions of v1beta1 in v1."""

from typing import Any

import pytest

from kybern.apiserver.core.old_definitions import as_v1

NAMES = {"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList"}
SCHEMA = {"openAPIV3Schema": {"type": "object"}}
ONE = {"name": "v1", "served": True, "storage": True}
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("one version", {"version": "v1"}, {"versions": [ONE]}),
    ("versions", {"version": "v1", "versions": [{**ONE, "served": False}]}, {"versions": [{**ONE, "served": False}]}),
    (
        "said once for all",
        {
            "versions": [ONE, {"name": "v2", "served": True, "storage": False, "schema": {}, "subresources": {}}],
            "validation": SCHEMA,
            "subresources": {"status": {}},
            "additionalPrinterColumns": [{"name": "a", "type": "string", "JSONPath": ".a"}],
        },
        {
            "versions": [
                {
                    **ONE,
                    "schema": SCHEMA,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [{"name": "a", "type": "string", "jsonPath": ".a"}],
                },
                {
                    "name": "v2",
                    "served": True,
                    "storage": False,
                    "schema": {},
                    "subresources": {},
                    "additionalPrinterColumns": [{"name": "a", "type": "string", "jsonPath": ".a"}],
                },
            ]
        },
    ),
    ("pruned", {"version": "v1", "preserveUnknownFields": False}, {"versions": [ONE], "preserveUnknownFields": False}),
    (
        "webhook",
        {"version": "v1", "conversion": {"strategy": "Webhook", "webhookClientConfig": {"url": "https://x"}}},
        {
            "versions": [ONE],
            "conversion": {
                "strategy": "Webhook",
                "webhook": {"conversionReviewVersions": ["v1beta1"], "clientConfig": {"url": "https://x"}},
            },
        },
    ),
]


@pytest.mark.parametrize(("spec", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_as_v1(spec: dict[str, Any], wanted: dict[str, Any]) -> None:
    definition = {"kind": "CustomResourceDefinition", "metadata": {"name": "x"}, "spec": {"names": NAMES, **spec}}
    found = as_v1(definition)
    assert found["apiVersion"] == "apiextensions.k8s.io/v1"
    assert found["metadata"] == {"name": "x"}
    defaults = {"preserveUnknownFields": True, "conversion": {"strategy": "None"}, "names": NAMES}
    assert found["spec"] == {**defaults, **wanted}


def test_names_that_were_left_to_defaults() -> None:
    found = as_v1({"spec": {"version": "v1", "names": {"plural": "foos", "kind": "Foo"}}})
    assert found["spec"]["names"] == NAMES
