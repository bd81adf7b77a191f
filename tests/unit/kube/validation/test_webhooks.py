# ruff: noqa: E501 (a message of upstream's stays in one piece)
"""Webhook configurations: every field error, in upstream's words."""

from typing import Any

import pytest

from kybern.kube.validation.admission import validate_webhooks

RULE = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
HOOK: dict[str, Any] = {
    "name": "a.example.com",
    "clientConfig": {"url": "https://127.0.0.1:8443/x"},
    "rules": [RULE],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
AT = "webhooks[0]"
FORM = "; desired format: https://host[/path]"


def rule(**more: Any) -> dict[str, Any]:
    return {"rules": [{**RULE, **more}]}


def url(text: str) -> dict[str, Any]:
    return {"clientConfig": {"url": text}}


def service(**more: Any) -> dict[str, Any]:
    return {"clientConfig": {"service": {"name": "s", "namespace": "n", **more}}}


TABLE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "fine": ({}, []),
    "a service": (service(path="/a/b.c/", port=8443), []),
    "no name": ({"name": ""}, ["name: Required value"]),
    "no URL and no service": (
        {"clientConfig": {}},
        ["clientConfig: Required value: exactly one of url or service is required"],
    ),
    "plain HTTP": (
        url("http://x/"),
        [f"clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme{FORM}"],
    ),
    "no host": (url("https:///x"), [f'clientConfig.url: Invalid value: "": host must be specified{FORM}']),
    "a user": (
        url("https://me:pw@x/"),
        ['clientConfig.url: Invalid value: "me:pw": user information is not permitted in the URL'],
    ),
    "a fragment": (
        url("https://x/#f"),
        ['clientConfig.url: Invalid value: "f": fragments are not permitted in the URL'],
    ),
    "a query": (
        url("https://x/?q"),
        ['clientConfig.url: Invalid value: "q": query parameters are not permitted in the URL'],
    ),
    "a nameless service": (
        service(name="", namespace=""),
        [
            "clientConfig.service.name: Required value",
            "clientConfig.service.namespace: Required value",
        ],
    ),
    "a port": (
        service(port=0),
        ["clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive"],
    ),
    "a relative path": (
        service(path="xy"),
        ["clientConfig.service.path: Invalid value: \"xy\": must start with a '/'"],
    ),
    "an empty segment": (
        service(path="/a//b"),
        ['clientConfig.service.path: Invalid value: "/a//b": segment[1] may not be empty'],
    ),
    "slashes": (service(path="//"), ['clientConfig.service.path: Invalid value: "//": segment[0] may not be empty']),
    "too long": (
        {"timeoutSeconds": 31},
        ["timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds"],
    ),
    "side effects": (
        {"sideEffects": "Some"},
        ['sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'],
    ),
    "unknown side effects": (
        {"sideEffects": None},
        ["sideEffects: Required value: must specify one of None, NoneOnDryRun"],
    ),
    "no review": (
        {"admissionReviewVersions": []},
        ["admissionReviewVersions: Required value: must specify one of v1, v1beta1"],
    ),
    "another review": (
        {"admissionReviewVersions": ["v2"]},
        ['admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1'],
    ),
    "the same review": (
        {"admissionReviewVersions": ["v1", "v1"]},
        ['admissionReviewVersions[1]: Invalid value: "v1": duplicate version'],
    ),
    "no operation": (rule(operations=[]), ["rules[0].operations: Required value"]),
    "all and more": (
        rule(operations=["*", "CREATE"]),
        ['rules[0].operations: Invalid value: ["*","CREATE"]: if \'*\' is present, must not specify other operations'],
    ),
    "an operation": (
        rule(operations=["PATCH"]),
        [
            'rules[0].operations[0]: Unsupported value: "PATCH": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"'
        ],
    ),
    "an empty version": (rule(apiVersions=[""]), ["rules[0].apiVersions[0]: Required value"]),
    "everything and more": (
        rule(resources=["*/*", "pods"]),
        ['rules[0].resources: Invalid value: ["*/*","pods"]: if \'*/*\' is present, must not specify other resources'],
    ),
    "all and one": (
        rule(resources=["*", "pods"]),
        [
            'rules[0].resources: Invalid value: ["*","pods"]: if \'*\' is present, must not specify other resources without subresources'
        ],
    ),
    "all and one's parts": (rule(resources=["*", "pods/status"]), []),
    "parts twice": (
        rule(resources=["pods/*", "pods/status"]),
        ["rules[0].resources[1]: Invalid value: \"pods/status\": if 'pods/*' is present, must not specify pods/status"],
    ),
    "everybody's part": (
        rule(resources=["*/status", "pods/status"]),
        [
            "rules[0].resources[1]: Invalid value: \"pods/status\": if '*/status' is present, must not specify pods/status"
        ],
    ),
    "a scope": (
        rule(scope="All"),
        ['rules[0].scope: Unsupported value: "All": supported values: "*", "Cluster", "Namespaced"'],
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_errors(name: str) -> None:
    changes, expected = TABLE[name]
    found = [str(error) for error in validate_webhooks({"webhooks": [{**HOOK, **changes}]})]
    assert found == [f"{AT}.{text}" for text in expected]


def test_names_are_unique() -> None:
    found = [str(error) for error in validate_webhooks({"webhooks": [HOOK, HOOK]})]
    assert found == ['webhooks[1].name: Duplicate value: "a.example.com"']
