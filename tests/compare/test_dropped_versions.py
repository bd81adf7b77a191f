"""Custom resources whose managers have written in a version that is gone from the definition."""

import time
from typing import Any

import pytest
from same import Both

GROUP = "dropped.example.com"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
SCHEMA = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def version(name: str, storage: bool = False, served: bool = True) -> dict[str, Any]:
    subresources: dict[str, Any] = {"status": {}}
    schema = {"openAPIV3Schema": SCHEMA}
    return {"name": name, "served": served, "storage": storage, "schema": schema, "subresources": subresources}


def definition(plural: str, *versions: dict[str, Any]) -> dict[str, Any]:
    names = {"plural": plural, "singular": plural, "kind": plural.capitalize(), "listKind": f"{plural}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": list(versions)},
    }


def until(both: Both, path: str, code: int) -> None:
    for _ in range(200):
        pair = both.ask("GET", path)
        if pair.kube.status == pair.kybern.status == code:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} did not become {code}")


@pytest.mark.parametrize("left", ["unserved", "gone"])
def test_managers_of_a_version_that_is_gone(both: Both, namespace: str, left: str) -> None:
    plural = f"{left}s"
    assert both.ask("POST", CRDS, definition(plural, version("v1", True), version("v2"))).kube.status == 201
    one, two = (f"/apis/{GROUP}/{name}/namespaces/{namespace}/{plural}" for name in ("v1", "v2"))
    until(both, one, 200)
    until(both, two, 200)

    def obj(path: str, name: str, **spec: Any) -> dict[str, Any]:
        api_version = f"{GROUP}/{'v1' if path == one else 'v2'}"
        return {"apiVersion": api_version, "kind": plural.capitalize(), "metadata": {"name": name}, "spec": spec}

    for name in "abcdefg":
        both.same("PATCH", f"{one}/{name}?fieldManager=m", obj(one, name, x="1"), headers=APPLY)
        if name in "bd":
            both.same("PATCH", f"{two}/{name}?fieldManager=n", obj(two, name, y="1"), headers=APPLY)
    crd = f"{CRDS}/{plural}.{GROUP}"
    moved = {"spec": {"versions": [version("v1", served=False), version("v2", True)]}}
    assert both.ask("PATCH", crd, moved, headers=MERGE).kube.status == 200
    until(both, one, 404)
    if left == "gone":
        time.sleep(0.5)
        for name in "abcdefg":  # store them in v2
            both.same("PATCH", f"{two}/{name}", {"metadata": {"annotations": {"a": name}}}, headers=MERGE)
        stored = {"status": {"storedVersions": ["v2"]}}
        assert both.ask("PATCH", f"{crd}/status", stored, headers=MERGE).kube.status == 200
        pair = both.ask("PATCH", crd, {"spec": {"versions": [version("v2", True)]}}, headers=MERGE)
        assert pair.kube.status == 200, pair.kube.body
        time.sleep(0.5)
    for name in "abcdefg":
        both.same("GET", f"{two}/{name}")
    wrong = []
    for name, api_version in (("h", "apps/v1"), ("i", f"{GROUP}/v9"), ("j", "a/b/c"), ("k", "v1")):
        both.same("POST", two, obj(two, name, x="1"))
        managed = [{"manager": "m", "operation": "Update", "apiVersion": api_version, "fieldsType": "FieldsV1"}]
        managed[0] |= {"fieldsV1": {"f:spec": {"f:x": {}}}, "time": "2026-01-01T00:00:00Z"}
        patch = [{"op": "replace", "path": "/metadata/managedFields", "value": managed}]
        wrong += both.diff("PATCH", f"{two}/{name}", patch, headers=JSON_PATCH)
        wrong += both.diff("PATCH", f"{two}/{name}?fieldManager=z", obj(two, name, x="1"), headers=APPLY)
    wrong += both.diff("PATCH", f"{two}/a?fieldManager=m", obj(two, "a", x="2"), headers=APPLY)
    wrong += both.diff("PATCH", f"{two}/b?fieldManager=n&force=true", obj(two, "b", x="2"), headers=APPLY)
    wrong += both.diff("PATCH", f"{two}/c", {"spec": {"x": "3"}}, headers=MERGE)
    wrong += both.diff("PATCH", f"{two}/d", {"spec": {"x": "3"}}, headers=MERGE)
    wrong += both.diff("PATCH", f"{two}/e/status", {"status": {"x": "3"}}, headers=MERGE)
    wrong += both.diff("PATCH", f"{two}/f", {"spec": {"x": "1"}}, headers=MERGE)
    for name in "abcdefg":
        wrong += both.diff("GET", f"{two}/{name}")
    assert not wrong, "\n".join(wrong)
