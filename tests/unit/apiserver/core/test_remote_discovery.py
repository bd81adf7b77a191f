"""What extension API servers say of themselves."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.apiserver.aggregation.remotes import Remote
from kybern.apiserver.core.remote_discovery import digest, merge_v2, resource_rows, v2_document, v3_path
from kybern.protos.api.v1.discovery_pb2 import VersionInfo

MEMBERS = ["resources", "name", "verbs", "kind", "paths", "apis/g/v1", "/apis/g/v1/a", "definitions", "$ref"]


def test_subresources_belong_to_their_resource() -> None:
    rows = resource_rows(
        {
            "resources": [
                {"name": "a", "kind": "A"},
                {"name": "a/status", "kind": "A"},
                {"name": "b/scale", "kind": "Scale", "namespaced": True},
            ]
        }
    )
    assert [(row["name"], [sub["name"] for sub in row["subresources"]]) for row in rows] == [
        ("a", ["status"]),
        ("b", ["scale"]),
    ]


@pytest.mark.parametrize("document", [[], "x", None, {"resources": "x"}])
def test_what_is_no_resource_list(document: Any) -> None:
    with pytest.raises(ValueError, match="no APIResourceList"):
        resource_rows(document)


def test_rows_that_are_no_rows_are_left_out() -> None:
    assert resource_rows({"resources": ["x", {}, {"name": ""}, {"name": 1}]}) == []
    (row,) = resource_rows({"resources": [{"name": "a", "verbs": ["get", 1], "shortNames": "a", "kind": {}}]})
    assert (row["verbs"], row["shortNames"], row["kind"], row["namespaced"]) == (["get"], [], "", False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_any_document_is_read_or_refused(document: Any) -> None:
    try:
        for row in resource_rows(document):
            shown = VersionInfo()
            Remote(rows=[row]).show(shown)
    except ValueError:
        pass
    v3_path(document, "g", "v1")
    if (found := v2_document(document)) is not None:
        merge_v2({}, [("g", "v1", found)])


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (
            {"paths": {"apis/g/v1": {"serverRelativeURL": "/openapi/v3/apis/g/v1?hash=x"}}},
            "/openapi/v3/apis/g/v1?hash=x",
        ),
        ({"paths": {"apis/g/v2": {}}}, ""),
        ({}, ""),
        ([], ""),
    ],
)
def test_v3_path(index: Any, expected: str) -> None:
    assert v3_path(index, "g", "v1") == expected


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/definitions/{name}"}


def test_merge_takes_what_the_paths_need() -> None:
    ours = {"swagger": "2.0", "paths": {"/api/v1/": {}}, "definitions": {"Meta": {"type": "object"}}}
    theirs = {
        "paths": {"/apis/g/v1/a": {"get": ref("A")}, "/apis/g/v1": {}, "/apis/g/v10/a": {}, "/version": {}},
        "definitions": {"A": {"properties": {"m": ref("Meta"), "a": ref("A")}}, "Meta": {"type": "object"}, "No": {}},
    }
    merged = merge_v2(ours, [("g", "v1", theirs)])
    assert merged["paths"].keys() == {"/api/v1/", "/apis/g/v1/a", "/apis/g/v1"}
    assert merged["definitions"].keys() == {"A", "Meta"}
    assert ours["definitions"].keys() == {"Meta"}


def test_another_definition_of_the_same_name_gets_a_number() -> None:
    ours = {"definitions": {"Meta": {"type": "object"}, "Meta_v2": {"type": "string"}}}
    theirs = {
        "paths": {"/apis/g/v1/a": {"get": ref("A")}},
        "definitions": {"A": {"properties": {"m": ref("Meta")}}, "Meta": {"type": "integer"}},
    }
    merged = merge_v2(ours, [("g", "v1", theirs)])
    assert merged["definitions"]["A"] == {"properties": {"m": ref("Meta_v3")}}
    assert merged["definitions"]["Meta_v3"] == {"type": "integer"}
    assert merged["definitions"]["Meta"] == {"type": "object"}


def test_digest() -> None:
    assert digest(b"a") != digest(b"b")
    assert len(digest(b"")) == 128
