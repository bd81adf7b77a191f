# ruff: noqa: E501 (a case stays in one line)
"""The life of CustomResourceDefinitions: names in conflict, versions that come and go, schemas that change, the end; their OpenAPI."""

import json
import time
from typing import Any

from same import Both, differences, readable
from test_crds import CRDS, INT, OBJ, TEXT, crd, listed, obj, served

Object = dict[str, Any]
ANY = {**OBJ, "x-kubernetes-preserve-unknown-fields": True}
SETTLED = 10.0  # seconds until controllers have to agree


def shown(document: Any) -> Any:
    """Without the times and the order in which controllers came."""
    if isinstance(document, dict):
        return {name: shown(value) for name, value in document.items() if name != "managedFields"}
    if isinstance(document, list):
        items = [shown(item) for item in document]
        typed = all(isinstance(item, dict) and "lastTransitionTime" in item for item in items)
        return sorted(items, key=lambda item: item["type"]) if typed else items
    return document


def wrong(both: Both, *arguments: Any, **named: Any) -> list[str]:
    pair = both.ask(*arguments, **named)
    found = differences(shown(readable(pair.kube)), shown(readable(pair.kybern)))
    return [f"{arguments}\n{line}" for line in found]


def settle(both: Both, path: str) -> None:
    """Wait until both say the same."""
    until = time.monotonic() + SETTLED
    while (found := wrong(both, "GET", path)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not found, "\n".join(found)


def version(name: str, *, storage: bool = False, is_served: bool = True, schema: Object = ANY) -> Object:
    return {"name": name, "served": is_served, "storage": storage, "schema": {"openAPIV3Schema": schema}}


def test_names(both: Both) -> None:
    owner = crd("owners", OBJ)
    served(both, owner)
    names: list[Object] = [
        {"plural": "nameas", "kind": "Owner", "listKind": "AList"}, {"plural": "namebs", "singular": "owner", "kind": "B"}, {"plural": "namecs", "kind": "C", "shortNames": ["owners"]},
        {"plural": "nameds", "kind": "D", "shortNames": ["q1", "q2"], "categories": ["all"]}, {"plural": "namees", "kind": "E", "shortNames": ["q1", "q3"]},
    ]  # fmt: skip
    for one in names:
        made = crd(one["plural"], OBJ)
        made["spec"]["names"] = one
        assert not wrong(both, "POST", CRDS, made)
        settle(both, f"{CRDS}/{one['plural']}.compare.example.com")
    path = f"{CRDS}/nameds.compare.example.com"
    for change in ({"shortNames": ["z1"]}, {"singular": "sing"}, {"listKind": "FooList"}, {"categories": ["x", "y"]}, {"kind": "X"}, {"plural": "x"}, {"kind": None}, {"shortNames": [""]}):  # fmt: skip
        found = wrong(both, "PATCH", path, {"spec": {"names": change}})
        assert not found, "\n".join(found)
        settle(both, path)
    settle(both, f"{CRDS}/namees.compare.example.com")  # which gets the name that has become free
    both.ask("DELETE", f"{CRDS}/owners.compare.example.com")
    settle(both, f"{CRDS}/namecs.compare.example.com")
    for status in ({"storedVersions": ["v1", "v2"]}, {"storedVersions": []}, {"storedVersions": None}, {"acceptedNames": {"plural": "Foo_", "kind": "x Y", "singular": "A"}}):  # fmt: skip
        found = wrong(both, "PATCH", f"{path}/status", {"status": status})
        assert not found, "\n".join(found)


def test_versions_schemas_and_the_end(both: Both) -> None:
    path = served(both, crd("lifes", obj(spec=obj(a=TEXT, b=TEXT))))
    second, definition = path.replace("/v1/", "/v2/"), f"{CRDS}/lifes.compare.example.com"
    found: list[str] = []

    def thing(name: str) -> Object:
        return {
            "apiVersion": "compare.example.com/v2",
            "kind": "Life",
            "metadata": {"name": name},
            "spec": {"a": "x", "b": "y"},
        }

    def change(*versions: Object) -> None:
        nonlocal found
        found += wrong(both, "PATCH", definition, {"spec": {"versions": list(versions)}})
        settle(both, definition)
        time.sleep(0.5)

    first = version("v1", storage=True, schema=obj(spec=obj(a=TEXT, b=TEXT)))
    found += wrong(both, "POST", path, thing("one") | {"apiVersion": "compare.example.com/v1"})
    change(first, version("v2"))
    settle(both, second)
    change({**first, "storage": False}, version("v2", storage=True))
    found += wrong(both, "PATCH", f"{second}/one", {"metadata": {"labels": {"moved": "yes"}}})
    change(version("v2", storage=True))  # refused: v1 may be stored
    change({**first, "storage": False, "served": False}, version("v2", storage=True))
    settle(both, f"{path}/one")
    found += wrong(both, "PATCH", f"{definition}/status", {"status": {"storedVersions": ["v2"]}})
    change(version("v2", storage=True))
    change(version("v2"))
    change(version("v2", storage=True), version("v3", storage=True))
    for schema in (
        obj(spec=obj(a=TEXT)), obj(spec=obj(a=TEXT, b={**TEXT, "default": "dd"})), obj(spec=obj(a={**TEXT, "maxLength": 0}, b=TEXT)), obj(spec=obj(a=INT, b=TEXT)),
        obj(spec={**obj(a=TEXT, c=TEXT), "required": ["c"]}), obj(spec={**obj(a=TEXT), "x-kubernetes-validations": [{"rule": "self.a == 'never'"}]}),
        obj(spec=obj(a={**TEXT, "maxLength": 20, "x-kubernetes-validations": [{"rule": "self == 'never'"}]})), obj(spec=obj(a={**TEXT, "enum": ["zz"]})),
    ):  # fmt: skip
        change(version("v2", storage=True, schema=schema))
        for asked in (("GET", f"{second}/one"), ("GET", second), ("PATCH", f"{second}/one", {"metadata": {"labels": {"at": str(len(json.dumps(schema)))}}}),
                      ("PATCH", f"{second}/one?dryRun=All", {"spec": {"a": "changed!"}})):  # fmt: skip
            found += wrong(both, *asked)
    found += wrong(both, "PATCH", f"{second}/one", {"metadata": {"finalizers": ["a.b/c"]}})
    found += wrong(both, "DELETE", definition)
    settle(both, definition)
    settle(both, second)
    for asked in (("POST", second, thing("three")), ("PATCH", f"{second}/one", {"spec": {"a": "zz"}}), ("DELETE", definition), ("POST", CRDS, crd("lifes", OBJ)),
                  ("PATCH", definition, {"metadata": {"labels": {"a": "b"}}}), ("PATCH", f"{second}/one", {"metadata": {"finalizers": None}})):  # fmt: skip
        found += wrong(both, *asked)
    settle(both, definition)
    settle(both, second)
    assert not found, "\n".join(found)


def test_protected_groups(both: Both) -> None:
    page = {"unapproved": "unapproved, x", "approved": "https://x/y", "bad": "nope", "none": ""}
    for name, value in page.items():
        made = crd("guards", OBJ)
        group = f"{name}.kubernetes.io"
        made["spec"]["group"] = group
        made["metadata"] = {"name": f"guards.{group}", "annotations": {"api-approved.kubernetes.io": value}}
        found = wrong(both, "POST", CRDS, made)
        assert not found, "\n".join(found)
        settle(both, f"{CRDS}/guards.{group}")


FEATURES: dict[str, Object] = {
    "s": {**TEXT, "description": "dd", "maxLength": 5, "pattern": "^a", "format": "date-time", "enum": ["a", "b"], "title": "tt", "example": "x", "externalDocs": {"url": "http://x"}},
    "i": {**INT, "format": "int64", "minimum": 1, "maximum": 10, "exclusiveMinimum": True, "multipleOf": 2, "default": 4}, "n": {"type": "number", "maximum": 2e30},
    "b": {"type": "boolean", "default": False, "nullable": True}, "no": {**obj(x=TEXT), "nullable": True}, "l": {**listed(TEXT, **{"list-type": "set"}), "maxItems": 5},
    "lu": listed({**obj(k=TEXT, v={**listed({**TEXT, "nullable": True}), "nullable": True}), "required": ["k"]}, **{"list-type": "map", "list-map-keys": ["k"]}),
    "o": {**obj(a=TEXT, b=INT), "required": ["a"], "x-kubernetes-map-type": "atomic", "default": {"a": "x"}}, "m": {**OBJ, "additionalProperties": {**INT, "nullable": True}},
    "mp": {**OBJ, "additionalProperties": True}, "ios": {"x-kubernetes-int-or-string": True, "default": 5}, "em": {**ANY, "x-kubernetes-embedded-resource": True},
    "ios2": {"x-kubernetes-int-or-string": True, "anyOf": [INT, TEXT], "pattern": "^a"}, "pu": {"x-kubernetes-preserve-unknown-fields": True},
    "em2": {**obj(spec=obj(x=TEXT)), "x-kubernetes-embedded-resource": True, "description": "embedded", "required": ["spec"]}, "pu2": {**ANY, "properties": {"a": TEXT}},
    "any": {**TEXT, "anyOf": [{"minLength": 5}, {"pattern": "^b"}]}, "one": {**obj(a=TEXT, b=TEXT), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, "not": {**TEXT, "not": {"enum": ["z"]}},
    "rules": {**obj(a=INT), "x-kubernetes-validations": [{"rule": "self.a > 1", "message": "m", "reason": "FieldValueForbidden", "fieldPath": ".a"}]},
    "$weird": TEXT, "a.b": TEXT, "a/b": TEXT, "ünï": TEXT, "uni": {**TEXT, "default": "ünï <&>"}, "fl": {"type": "number", "format": "float", "default": 1.0},
}  # fmt: skip


def own(definitions: Object) -> Object:
    """The definitions of custom kinds, without descriptions of what every kind has, which Kybern words anew."""
    found = {
        name: json.loads(json.dumps(value))
        for name, value in definitions.items()
        if name.startswith("com.example.documents.")
    }
    for one in found.values():
        for at in _resources(one):
            for name in ("apiVersion", "kind", "metadata", "items"):
                at.get("properties", {}).get(name, {}).pop("description", None)
    return found


def _resources(schema: Object) -> list[Object]:
    inner = [part for part in schema.get("properties", {}).values() if isinstance(part, dict)]
    return [schema, *(found for part in inner for found in _resources(part))]


def operations(paths: Object) -> Object:
    """What the operations do, take and answer; parameters are described elsewhere."""
    return {
        path: {method: {name: value for name, value in one.items() if name != "parameters"} for method, one in item.items() if method != "parameters"}
        for path, item in paths.items()
        if "documents.example.com" in path
    }  # fmt: skip


def test_openapi(both: Both) -> None:
    made = crd("sheets", obj(spec=obj(**FEATURES), status=obj(r=INT)))
    made["metadata"]["name"], made["spec"]["group"] = "sheets.documents.example.com", "documents.example.com"
    scale = {"specReplicasPath": ".spec.i", "statusReplicasPath": ".status.r"}
    made["spec"]["versions"][0] |= {"subresources": {"status": {}, "scale": scale}, "selectableFields": [{"jsonPath": ".spec.uni"}]}  # fmt: skip
    assert both.ask("POST", CRDS, made).kube.status == 201
    path = "/openapi/v3/apis/documents.example.com/v1"
    until = time.monotonic() + SETTLED
    while (pair := both.ask("GET", path)) and (pair.kube.status, pair.kybern.status) != (200, 200):
        assert time.monotonic() < until, pair
        time.sleep(0.2)
    kube, kybern = pair.kube.document, pair.kybern.document
    found = differences(own(kube["components"]["schemas"]), own(kybern["components"]["schemas"]))
    found += differences(operations(kube["paths"]), operations(kybern["paths"])) + differences(
        kube["info"], kybern["info"]
    )
    name = "com.example.documents.v1.Sheet"
    while name not in (theirs := both.kube.ask("GET", "/openapi/v2", None, {}, ("root", "system:masters")).document)["definitions"]:  # fmt: skip
        assert time.monotonic() < until
        time.sleep(0.2)
    ours = both.kybern.ask("GET", "/openapi/v2", None, {}, ("root", "system:masters")).document
    found += differences(own(theirs["definitions"]), own(ours["definitions"]))
    found += differences(operations(theirs["paths"]), operations(ours["paths"]))
    assert not found, "\n".join(found)
    both.same("GET", "/apis/documents.example.com/v1")
    both.same("GET", "/apis/documents.example.com")
