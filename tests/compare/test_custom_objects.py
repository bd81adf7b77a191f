# ruff: noqa: E501 (a case stays in one line)
"""Custom resources as clients meet them: values of every type, bodies, paths, methods, media types, scale and status."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from same import Both, differences, readable
from test_crds import INT, OBJ, TABLE, TEXT, crd, listed, obj, served

Object = dict[str, Any]
BIG = 1 << 63
GRANULAR = listed({**obj(k=TEXT, p={**INT, "default": 80}, v=TEXT, inner=listed(TEXT, **{"list-type": "set"})), "required": ["k"]},
                  **{"list-type": "map", "list-map-keys": ["k", "p"]})  # fmt: skip
SPEC: dict[str, Object] = {
    "s": {**TEXT, "default": "dflt"}, "ns": {**TEXT, "nullable": True, "default": "nd"}, "nn": {**TEXT, "nullable": True}, "i": INT,
    "n": {"type": "number"}, "o": obj(a={**TEXT, "default": "A"}, b=TEXT, c={**obj(x=TEXT, z={**INT, "default": 3}), "default": {"x": "y"}}),
    "at": {**obj(a=TEXT, b=TEXT), "x-kubernetes-map-type": "atomic"}, "gr": {**OBJ, "additionalProperties": TEXT, "x-kubernetes-map-type": "granular"},
    "atm": {**OBJ, "additionalProperties": TEXT, "x-kubernetes-map-type": "atomic"}, "la": listed(TEXT, **{"list-type": "atomic"}),
    "ls": listed(TEXT, **{"list-type": "set"}), "lm": GRANULAR, "lnone": listed(obj(a=TEXT)),
    "pu": {**obj(k=INT), "x-kubernetes-preserve-unknown-fields": True}, "puu": {"x-kubernetes-preserve-unknown-fields": True},
    "em": {**obj(spec=obj(x=TEXT)), "x-kubernetes-embedded-resource": True}, "ios": {"x-kubernetes-int-or-string": True},
    "ml": {**OBJ, "additionalProperties": listed(obj(a=TEXT))}, "mn": {**OBJ, "additionalProperties": {**TEXT, "nullable": True}},
    "lno": listed({**obj(a={**TEXT, "default": "d"}), "nullable": True}), "rp": INT, "e": {**TEXT, "enum": ["a", "b"]},
}  # fmt: skip
STATUS = obj(r=INT, sel=TEXT, s={**TEXT, "default": "sd"})
SCALE = {"specReplicasPath": ".spec.rp", "statusReplicasPath": ".status.r", "labelSelectorPath": ".status.sel"}
VALUES: list[Any] = [
    None, {}, {"a": 1}, [], [None], "x", 1, 1.5, 1e30, True, ["a", "a"], [{"k": "a"}], [{"k": "a"}, {"k": "a", "p": 80}], {"a": None},
    {"a": "b", "zz": 1}, [[1]], [["a"], ["a"]], [{"a": "x"}, {"a": "x"}], [{}], BIG - 1, "ünï<>&", {"": ""}, {"a.b/c": "x"}, 0.1, 1e20, -1,
]  # fmt: skip


@pytest.fixture(scope="session")
def things(both: Both) -> str:
    """The path of a kind with a schema of everything."""
    made = crd("fancys", obj(spec=obj(**SPEC), status=STATUS), subresources={"status": {}, "scale": SCALE})
    path = served(both, made)
    both.same("POST", path, thing({"i": 1, "rp": 2}, "one"))
    return path


def thing(spec: Any = None, name: str = "a", **members: Any) -> Object:
    kept = {} if spec is None else {"spec": spec}
    return {"apiVersion": "compare.example.com/v1", "kind": "Fancy", "metadata": {"name": name}, **kept, **members}


def wrong(both: Both, what: object, *arguments: Any, **named: Any) -> Iterator[str]:
    pair = both.ask(*arguments, **named)
    for line in differences(readable(pair.kube), readable(pair.kybern)):
        yield f"{what}: {arguments[0]} {arguments[1]}\n{line}"


@pytest.mark.parametrize("name", SPEC)
def test_values(both: Both, things: str, name: str) -> None:
    found: list[str] = []
    for value in VALUES:
        if name == "e" and value == 1.0 and type(value) is not bool:
            continue  # a number is shown as Python has it
        if name == "ml" and value == {"a": "b", "zz": 1}:
            continue  # several members are judged in Go's order of maps, which is none
        found += wrong(both, value, "POST", f"{things}?dryRun=All&fieldValidation=Strict", thing({name: value}))
    assert not found, "\n".join(found)


UNKNOWN = [
    {"unknown": 1, "o": {"u": 2}, "lm": [{"k": "a", "u": 1}], "ml": {"x": [{"b": 1}]}}, {"o": {"c": {}}}, {"ns": None, "nn": None, "s": None},
    {"pu": {"k": 1, "z": {"y": 1}}, "puu": [1, {"a": None}], "em": {"apiVersion": "v1", "kind": "X", "metadata": {"foo": "b"}, "spec": {"y": 2}, "other": 1}},
]  # fmt: skip


@pytest.mark.parametrize("validation", ["Strict", "Warn", "Ignore", "Foo", ""])
@pytest.mark.parametrize("spec", UNKNOWN, ids=str)
def test_unknown_fields(both: Both, things: str, spec: Object, validation: str) -> None:
    both.same("POST", f"{things}?dryRun=All&fieldValidation={validation}", thing(spec))


RAW = [
    '"spec":{"s":"a","s":"b"}', '"spec":{},"spec":{}', '"spec":{"i":1e3}', '"spec":{"puu":1e5}', '"spec":{"puu":1.0}', '"spec":{"puu":-0}',
    '"spec":{"puu":0.000000001}', '"spec":{"puu":"\\u0000"}', '"x":1', '"metadata":{"name":"b"}', '"status":{"r":1}', '"spec":{"puu":{"a":1,"a":2}}',
    '"spec":{"puu":123456789012345678}', '"spec":{"puu":1.7976931348623157e308}', '"spec":{"lm":[{"k":"a","k":"b"}]}', '"spec":{"S":"x"}', '"Spec":{}',
]  # fmt: skip


@pytest.mark.parametrize("validation", ["Strict", "Warn"])
@pytest.mark.parametrize("text", RAW)
def test_raw_bodies(both: Both, things: str, text: str, validation: str) -> None:
    head = '{"apiVersion":"compare.example.com/v1","kind":"Fancy","metadata":{"name":"a"},'
    both.same("POST", f"{things}?dryRun=All&fieldValidation={validation}", f"{head}{text}}}".encode())


BODIES: list[Object] = [
    {"apiVersion": "foo/v1"}, {"apiVersion": "v1"}, {"apiVersion": ""}, {"apiVersion": 1}, {"kind": "Other"}, {"kind": "fancy"}, {"kind": "FancyList"},
    {"kind": ""}, {"kind": 1}, {"metadata": None}, {"metadata": "x"}, {"metadata": []}, {"metadata": {}}, {"metadata": {"name": 1}},
    {"metadata": {"name": "a", "labels": {"a": 1}}}, {"metadata": {"name": "a", "labels": {"a": None}}}, {"metadata": {"name": "a", "foo": 1}},
    {"metadata": {"name": "a", "creationTimestamp": "x"}}, {"metadata": {"name": "A"}}, {"metadata": {"name": "a", "namespace": "other"}},
    {"metadata": {"name": "a", "finalizers": ["x"]}}, {"metadata": {"name": "a", "finalizers": "x"}}, {"metadata": {"name": "a", "managedFields": [{"a": 1}]}},
    {"metadata": {"generateName": "generated-"}}, {"spec": None}, {"spec": []}, {"spec": "x"}, {"status": {"zz": 1}},
]  # fmt: skip


@pytest.mark.parametrize("members", BODIES, ids=str)
def test_bodies(both: Both, things: str, members: Object) -> None:
    both.same("POST", f"{things}?dryRun=All&fieldValidation=Strict", {**thing({}), **members})


CONTENT = [
    "application/json",
    "application/yaml",
    "text/plain",
    "application/cbor",
    "",
    "application/merge-patch+json",
    "application/json;charset=utf-8",
    "*/*",
]


@pytest.mark.parametrize("media", CONTENT)
def test_content_types(both: Both, things: str, media: str) -> None:
    body = json.dumps(thing({})).encode()
    both.same("POST", f"{things}?dryRun=All", body, headers={"Content-Type": media})


VIEW = "application/json;as={};v={};g=meta.k8s.io"
ACCEPTED = [
    "application/json", "text/plain", "application/cbor", "*/*", "application/*", VIEW.format("Table", "v1"), VIEW.format("Table", "v1beta1"),
    VIEW.format("Table", "v2"), VIEW.format("PartialObjectMetadata", "v1"), VIEW.format("PartialObjectMetadataList", "v1"),
    "application/vnd.kubernetes.protobuf, application/json",
]  # fmt: skip


@pytest.mark.parametrize("accept", ACCEPTED)
def test_accepted_types(both: Both, things: str, accept: str) -> None:
    found: list[str] = []
    for path in (f"{things}/one", things, f"{things}/one/status", f"{things}/one/scale"):
        if "MetadataList" in accept and not path.endswith(("fancys", "scale")):
            continue  # kube-apiserver fails with 500 where a 406 is meant
        found += wrong(both, accept, "GET", path, headers={"Accept": accept})
    assert not found, "\n".join(line for line in found if '"0s"' not in line and '"1s"' not in line)


WHERE = [
    "", "/one", "/one/status", "/one/scale", "/one/foo", "/missing", "/missing/status", "/missing/scale",
    "../fancys", "../fancys/one", "../nofancys",
]  # fmt: skip


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_methods(both: Both, things: str, method: str, where: str) -> None:
    if (method, where) in {("DELETE", ""), ("DELETE", "/one")}:
        return
    path = f"/apis/compare.example.com/v1/{where[3:]}" if where.startswith("..") else f"{things}{where}"
    both.same(method, f"{path}?dryRun=All", {} if method in ("PUT", "PATCH") else None)


@pytest.mark.parametrize("path", ["/v2", "/v2/fancys", "/v1/nofancys/x", "/v1/", "", "/v9/namespaces/x/fancys/y"])
def test_paths_of_the_group(both: Both, things: str, path: str) -> None:
    if path in ("", "/v1/"):
        assert (
            differences(
                *(len(one.document) for one in vars(both.ask("GET", f"/apis/compare.example.com{path}")).values())
            )
            == []
        )
    else:
        both.same("GET", f"/apis/compare.example.com{path}")


PATCHES = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json",
    "text/plain",
]


@pytest.mark.parametrize(("media", "body"), list(itertools.product(PATCHES, [b"{}", b"[]"])))
def test_patch_types(both: Both, things: str, media: str, body: bytes) -> None:
    both.same("PATCH", f"{things}/one?dryRun=All", body, headers={"Content-Type": media})


@pytest.mark.parametrize("path", ["/api/v1/namespaces", "/api/v1/configmaps", "/apis/apps/v1/deployments"])
def test_lists_are_no_objects(both: Both, path: str) -> None:
    both.same("GET", path, headers={"Accept": VIEW.format("PartialObjectMetadata", "v1")})


def test_lists_of_custom_names(both: Both) -> None:
    made = crd("oddlists", OBJ)
    made["spec"]["names"] |= {"listKind": "ManyOdd", "kind": "Odd"}
    path = served(both, made)
    both.same("POST", path, {"apiVersion": "compare.example.com/v1", "kind": "Odd", "metadata": {"name": "a"}})
    both.same("GET", path)
    both.same("GET", f"{path}?limit=1")
    both.same("GET", path, headers=TABLE)


def test_scale_of_a_built_in_kind(both: Both, namespace: str) -> None:
    """`kubectl get --subresource=scale` prints it."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    both.same("POST", path, {"metadata": {"name": "a"}, "spec": spec})
    both.same("GET", f"{path}/a/scale", headers=TABLE)
