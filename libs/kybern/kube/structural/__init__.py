"""Structural schemas: what the schema of a CustomResourceDefinition does to its objects.

    node        the schema compiled once to what the walks below need
    prune       unknown fields are dropped and named
    defaults    absent fields are filled, nulls that may not be are dropped
    values      types, ranges, patterns, enumerations, required fields, allOf/anyOf/oneOf/not
    formats     the formats of strings that are enforced
    lists       items of sets and maps are unique
    rules       x-kubernetes-validations, in CEL
    definition  whether a schema is structural at all; with openapi_rules, default_rules, rule_checks
    crd         whether a CustomResourceDefinition around its schemas is right; with crd_versions, field_path, go_form
    kind        all of it for one version of one custom kind:  CustomKind.prune, .default, .validate
    publish     the schema as OpenAPI v2 and v3

Errors carry upstream's paths and words. A value that an update does not change is not judged again (ratcheting).
"""

from kybern.kube.structural.kind import CustomKind, Scale
from kybern.kube.structural.node import Node, compile_schema

__all__ = ["CustomKind", "Node", "Scale", "compile_schema"]
