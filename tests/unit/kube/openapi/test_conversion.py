"""OpenAPI v3 made from v2: the same cases as kube-openapi's own conversion, in its answers."""

from typing import Any

import pytest

from kybern.kube.openapi.conversion import operation, parameter, schema, security_scheme, v2_to_v3

REF = {"$ref": "#/definitions/Pod"}
NEW = {"$ref": "#/components/schemas/Pod"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (REF, NEW),
        ({**REF, "description": "a pod"}, {"description": "a pod", "allOf": [NEW]}),
        ({"type": "array", "items": REF}, {"type": "array", "items": NEW}),
        ({"type": "array", "items": [REF, {"type": "string"}]}, {"type": "array", "items": [NEW, {"type": "string"}]}),
        ({"additionalProperties": REF}, {"additionalProperties": NEW}),
        ({"additionalProperties": True}, {"additionalProperties": True}),
        (
            {"properties": {"a": {**REF, "default": {}}, "b": {"type": "string"}}, "x-kubernetes-map-type": "atomic"},
            {
                "properties": {"a": {"default": {}, "allOf": [NEW]}, "b": {"type": "string"}},
                "x-kubernetes-map-type": "atomic",
            },
        ),
        (True, True),
    ],
)
def test_schema(given: Any, expected: Any) -> None:
    assert schema(given) == expected


def test_operation() -> None:
    given = {
        "operationId": "createPod",
        "consumes": ["application/json", "application/yaml"],
        "produces": ["application/json"],
        "parameters": [
            {"name": "body", "in": "body", "required": True, "schema": REF},
            {"name": "dryRun", "in": "query", "type": "string", "uniqueItems": True},
        ],
        "responses": {"200": {"description": "OK", "schema": REF}, "401": {"description": "Unauthorized"}},
        "x-kubernetes-action": "post",
    }
    content = {"application/json": {"schema": NEW}}
    assert operation(given) == {
        "operationId": "createPod",
        "requestBody": {"content": {**content, "application/yaml": {"schema": NEW}}},
        "parameters": [{"name": "dryRun", "in": "query", "schema": {"type": "string", "uniqueItems": True}}],
        "responses": {"200": {"description": "OK", "content": content}, "401": {"description": "Unauthorized"}},
        "x-kubernetes-action": "post",
    }


def test_references_to_shared_parts() -> None:
    assert parameter({"$ref": "#/parameters/pretty"}) == {"$ref": "#/components/parameters/pretty"}


def test_security() -> None:
    given = {"type": "oauth2", "flow": "implicit", "authorizationUrl": "https://a", "scopes": {"x": "y"}}
    flows = {"implicit": {"authorizationUrl": "https://a", "scopes": {"x": "y"}}}
    assert security_scheme(given) == {"type": "oauth2", "flows": flows}


def test_document() -> None:
    given = {
        "swagger": "2.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/x": {"get": {"responses": {}}, "parameters": [{"name": "n", "in": "path", "type": "string"}]}},
        "definitions": {"Pod": {"type": "object"}},
        "securityDefinitions": {"BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}},
        "security": [{"BearerToken": []}],
    }
    assert v2_to_v3(given) == {
        "openapi": "3.0.0",
        "info": {"title": "t", "version": "1"},
        "paths": {
            "/x": {
                "get": {"responses": {}},
                "parameters": [{"name": "n", "in": "path", "schema": {"type": "string"}}],
            }
        },
        "components": {
            "schemas": {"Pod": {"type": "object"}},
            "securitySchemes": {"BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}},
        },
    }
