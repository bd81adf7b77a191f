"""OpenAPI documents are complete, closed under reference, and carry what kubectl looks for."""

import json
import re
from typing import Any

import pytest

from kybern.kube import openapi, schema
from kybern.kube.openapi import descriptions

GROUP_VERSIONS = [(group.name, version) for group in schema.load().groups for version in group.versions]


def document(group: str, version: str) -> dict[str, Any]:
    found = openapi.v3(group, version)
    assert found is not None
    return found


@pytest.mark.parametrize(("group", "version"), GROUP_VERSIONS)
def test_references_and_operation_ids(group: str, version: str) -> None:
    found = document(group, version)
    targets = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(found)))
    assert targets <= found["components"]["schemas"].keys()
    ids = [op["operationId"] for op in _operations(found)]
    assert len(ids) == len(set(ids))


def _operations(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [op for item in found["paths"].values() for method, op in item.items() if method != "parameters"]


@pytest.mark.parametrize("info", list(schema.load().resources.values()), ids=lambda info: "/".join(info.gvr))
def test_every_verb_has_its_operation(info: schema.ResourceInfo) -> None:
    actions = {"list": "list", "create": "post", "deletecollection": "deletecollection", "get": "get", "update": "put"}
    actions |= {"patch": "patch", "delete": "delete"}
    group, version, kind = info.gvk
    wanted = {"group": group, "version": version, "kind": kind}
    end = re.compile(rf"/{info.resource}(/{{name}})?$")
    found = {
        op["x-kubernetes-action"]
        for path, item in document(info.group, info.version)["paths"].items()
        if end.search(path)
        for method, op in item.items()
        if method != "parameters" and op["x-kubernetes-group-version-kind"] == wanted
    }
    assert found == {actions[verb] for verb in info.verbs if verb != "watch"}


def test_patch_declares_the_parameters_kubectl_asks_for() -> None:
    item = document("apps", "v1")["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
    names = {parameter["name"] for parameter in item["patch"]["parameters"]}
    assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= names
    assert [parameter["name"] for parameter in item["parameters"]] == ["name", "namespace", "pretty"]
    assert "application/strategic-merge-patch+json" in item["patch"]["requestBody"]["content"]


def test_kinds_carry_group_version_kind_and_descriptions() -> None:
    found = document("apps", "v1")["components"]["schemas"]
    kind = found["io.k8s.api.apps.v1.Deployment"]
    assert kind["x-kubernetes-group-version-kind"] == [{"group": "apps", "kind": "Deployment", "version": "v1"}]
    spec = found["io.k8s.api.apps.v1.DeploymentSpec"]
    assert spec["properties"]["replicas"]["description"]
    assert spec["required"] == ["selector", "template"]
    containers = found["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"


def test_scalars_that_take_two_shapes() -> None:
    found = document("", "v1")["components"]["schemas"]
    assert found["io.k8s.apimachinery.pkg.api.resource.Quantity"]["oneOf"] == [{"type": "string"}, {"type": "number"}]
    assert found["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["format"] == "int-or-string"
    whole = openapi.v2()["definitions"]
    assert whole["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["type"] == "string"
    assert whole["io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime"]["format"] == "date-time"


def test_index_names_every_document_with_its_hash() -> None:
    index = openapi.v3_index(lambda path: path.upper())
    assert index["paths"]["api/v1"] == {"serverRelativeURL": "/openapi/v3/api/v1?hash=API/V1"}
    assert len(index["paths"]) == len(GROUP_VERSIONS)


def test_v2_is_closed_under_reference() -> None:
    found = openapi.v2()
    targets = set(re.findall(r'"#/definitions/([^"]+)"', json.dumps(found)))
    assert targets <= found["definitions"].keys()
    assert "/api/v1/namespaces/{namespace}/pods/{name}/log" in found["paths"]


def test_unknown_group_versions_have_no_document() -> None:
    assert openapi.v3("apps", "v9") is None


def test_a_document_of_ones_own_kinds() -> None:
    info = schema.ResourceInfo("a.b", "v1", "foos", "Foo", "foo", False, frozenset({"get", "create"}))
    definitions = {"b.a.v1.Foo": {"type": "object", "properties": {"spec": {"type": "string"}}}}
    found = openapi.document_v3([info], definitions, {info.gvk: "b.a.v1.Foo"})
    assert found["paths"].keys() == {"/apis/a.b/v1/foos", "/apis/a.b/v1/foos/{name}"}
    assert found["components"]["schemas"]["b.a.v1.Foo"]["properties"]["spec"]["type"] == "string"


def test_descriptions_are_of_kinds_and_fields_that_exist() -> None:
    definitions = schema.load().definitions
    assert definitions.keys() >= descriptions._KINDS.keys()
    for name, fields in descriptions._FIELDS.items():
        assert definitions[name]["properties"].keys() >= fields.keys(), name
