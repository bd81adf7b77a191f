"""JSON patch and merge patch."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.kube.patch import json, merge
from kybern.kube.status import StatusError


def test_json_patch_applies_all_or_none() -> None:
    original = {"a": [1, 2], "b": {"c": "d"}}
    patch = [
        {"op": "add", "path": "/a/-", "value": 3},
        {"op": "remove", "path": "/b/c"},
        {"op": "test", "path": "/a/0", "value": 1},
    ]
    assert json.apply(original, patch) == {"a": [1, 2, 3], "b": {}}
    assert original == {"a": [1, 2], "b": {"c": "d"}}


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ({"op": "add"}, 400),
        (["add"], 400),
        ([{"op": "fly", "path": "/a"}], 422),
        ([{"op": 1, "path": "/a"}], 400),
        ([{"op": "remove", "path": "/missing"}], 422),
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "replace", "path": "/missing/b", "value": 2}], 422),
        ([{"op": "add", "path": "", "value": {}}], 422),
        ([{"op": "add", "path": "/a/0/b", "value": 2}], 422),
        ([{"op": "replace", "path": "", "value": 1}], 422),
        ([{"op": "add", "path": "/x", "value": 1}] * 10_001, 413),
    ],
)
def test_json_patch_errors(patch: Any, code: int) -> None:
    with pytest.raises(StatusError) as caught:
        json.apply({"a": 1}, patch)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"op": "replace", "path": "/missing", "value": 2}, {"a": 1, "missing": 2}),
        ({"op": "test", "path": "/missing"}, {"a": 1}),
        ({"op": "copy", "from": "/missing", "path": "/b"}, {"a": 1, "b": None}),
    ],
)
def test_what_is_missing_in_a_json_patch_is_null(patch: Any, expected: Any) -> None:
    assert json.apply({"a": 1}, [patch]) == expected


RFC_7386 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("original", "patch", "wanted"), RFC_7386)
def test_merge_patch(original: Any, patch: Any, wanted: Any) -> None:
    assert merge.apply(original, patch) == wanted


def test_merge_patch_must_be_an_object() -> None:
    with pytest.raises(StatusError) as caught:
        merge.apply({}, [1])
    assert caught.value.code == 400


documents = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.one_of(st.integers(0, 3), st.lists(st.integers(0, 3), max_size=2))),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.one_of(inner, st.integers(0, 3))),
    max_leaves=8,
)


@given(documents, documents)
def test_merge_diff_leads_from_one_to_the_other(before: Any, after: Any) -> None:
    assert merge.apply(before, merge.diff(before, after)) == after
