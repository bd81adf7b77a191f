"""Pruning and defaulting: what a schema drops from objects and adds to them."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.kube.field import invalid
from kybern.kube.structural import CustomKind, Scale, compile_schema
from kybern.kube.structural.kind import of_status

SPEC: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"type": "string", "default": "x"},
        "nullable": {"type": "string", "nullable": True, "default": "y"},
        "inner": {"type": "object", "default": {}, "properties": {"b": {"type": "integer", "default": 1}}},
        "list": {
            "type": "array",
            "items": {"type": "object", "properties": {"c": {"type": "string", "default": "z"}}},
        },
        "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"d": {"type": "string"}}}},
        "free": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"known": {"type": "object", "properties": {"e": {"type": "string"}}}},
        },
        "embedded": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "properties": {"spec": {"type": "object", "properties": {"f": {"type": "string"}}}},
        },
        "absent": {"type": "string"},
        "open": {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True},
    },
}
SCHEMA = {"type": "object", "properties": {"spec": SPEC}}
KIND = CustomKind(SCHEMA, compile_schema(SCHEMA))

PRUNED: dict[str, tuple[Any, Any, list[str]]] = {
    "unknown": ({"a": "1", "zz": 1}, {"a": "1"}, ["spec.zz"]),
    "in a list": ({"list": [{"c": "1"}, {"zz": 1}]}, {"list": [{"c": "1"}, {}]}, ["spec.list[1].zz"]),
    "in a map": ({"map": {"k": {"d": "1", "zz": 1}}}, {"map": {"k": {"d": "1"}}}, ["spec.map.k.zz"]),
    "kept": ({"free": {"zz": {"y": 1}}}, {"free": {"zz": {"y": 1}}}, []),
    "known within kept": ({"free": {"known": {"zz": 1}}}, {"free": {"known": {}}}, ["spec.free.known.zz"]),
    "anything allowed": (
        {"open": {"a": "1", "b": 2, "c": {"d": 1}, "e": [{"f": 1}]}},
        {"open": {"a": "1", "b": 2, "c": {}, "e": [{}]}},
        ["spec.open.c.d", "spec.open.e[0].f"],
    ),
    "embedded": (
        {"embedded": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "n", "zz": 1}, "spec": {"zz": 1}, "zz": 1}},
        {"embedded": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "n"}, "spec": {}}},
        ["spec.embedded.spec.zz", "spec.embedded.zz", "spec.embedded.metadata.zz"],
    ),
}


@pytest.mark.parametrize("name", PRUNED)
def test_prune(name: str) -> None:
    spec, expected, unknown = PRUNED[name]
    obj = {"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "n"}, "spec": deepcopy(spec)}
    assert KIND.prune(obj) == unknown
    assert obj["spec"] == expected
    assert obj["metadata"] == {"name": "n"}


def test_metadata_is_pruned() -> None:
    obj: dict[str, Any] = {"metadata": {"name": "n", "zz": 1}, "zz": 1}
    assert KIND.prune(obj) == ["metadata.zz", "zz"]


DEFAULTED: dict[str, tuple[Any, Any]] = {
    "empty": ({}, {"a": "x", "nullable": "y", "inner": {"b": 1}}),
    "given": ({"a": "1", "inner": {"b": 2}}, {"a": "1", "nullable": "y", "inner": {"b": 2}}),
    "null with a default": ({"a": None}, {"a": "x", "nullable": "y", "inner": {"b": 1}}),
    "null that may be": ({"nullable": None}, {"a": "x", "nullable": None, "inner": {"b": 1}}),
    "null that may not be": ({"absent": None}, {"a": "x", "nullable": "y", "inner": {"b": 1}}),
    "items": ({"list": [{}]}, {"list": [{"c": "z"}], "a": "x", "nullable": "y", "inner": {"b": 1}}),
}


@pytest.mark.parametrize("name", DEFAULTED)
def test_default(name: str) -> None:
    spec, expected = DEFAULTED[name]
    obj = {"spec": deepcopy(spec)}
    KIND.default(obj)
    assert obj == {"spec": expected}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SPEC["properties"], "zz"]), inner),
    max_leaves=12,
)


@given(JSON)
def test_whatever_comes_in_is_settled_after_one_pass(spec: Any) -> None:
    obj = {"spec": spec}
    KIND.prune(obj)
    KIND.default(obj)
    once = deepcopy(obj)
    assert KIND.prune(obj) == []
    KIND.default(obj)
    assert obj == once
    KIND.validate(obj)


def test_what_lies_in_a_list_that_should_be_none_is_unknown() -> None:
    kind = CustomKind(schema := {"type": "object", "properties": {"s": {"type": "string"}}}, compile_schema(schema))
    obj: dict[str, Any] = {"z": 1, "s": [{"b": 1, "a": 2}]}
    assert kind.prune(obj) == ["s[0].a", "s[0].b", "z"]
    assert obj == {"s": [{}]}


def test_items_of_a_map_are_objects() -> None:
    items = {"type": "object", "properties": {"k": {"type": "string"}}, "required": ["k"]}
    by_key = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    schema = {"type": "object", "properties": {"l": {"type": "array", "items": items, **by_key}}}
    found = [str(error) for error in CustomKind(schema, compile_schema(schema)).validate({"l": ["a", "a"]})]
    assert found[-1] == 'l[0]: Invalid value: "a": must be an object for an array of list-type map'


SCALED = {
    ".spec.a accessor error: x is of the type string, expected int64": {"spec": {"a": "x"}},
    ".spec.a accessor error: 1e+20 is of the type float64, expected int64": {"spec": {"a": 1e20}},
    ".spec.a accessor error: [] is of the type []interface {}, expected map[string]interface{}": {"spec": []},
    "should be a non-negative integer": {"spec": {"a": -1}},
    "should be less than or equal to 2147483647": {"spec": {"a": 1 << 31}},
    ".status.s accessor error: 1 is of the type int64, expected string": {"status": {"s": 1}},
}


@pytest.mark.parametrize("wanted", SCALED)
def test_numbers_of_scale(wanted: str) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    kind = CustomKind(schema, compile_schema(schema), scale=Scale(".spec.a", ".status.a", ".status.s"))
    assert [error.detail for error in kind.validate(SCALED[wanted])] == [wanted]


STATUSES = {
    "r in body must be of type integer": ("status.r", "status.r in body must be of type integer", "status.r"),
    " in body must be of type object": ("status", "status in body must be of type object", "status"),
    "Checked value must be of type integer (default format) in r": (
        "<nil>",
        "Checked value must be of type integer (default format) in status.r",
        "status",
    ),
    "status must be kept": ("status.r", "status must be kept", "status.r"),
}


@pytest.mark.parametrize("wanted", STATUSES)
def test_what_is_wrong_with_a_status_alone(wanted: str) -> None:
    path, detail, at = STATUSES[wanted]
    (found,) = of_status([invalid(path, "", detail)])
    assert (found.field, found.detail) == (at, wanted)


EMBEDDING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "inner": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"metadata": {"type": "object", "default": {"name": "n", "unknown": 1}}},
        }
    },
}


def test_defaults_of_metadata_lose_what_it_does_not_know() -> None:
    obj = {"metadata": {}, "inner": {"apiVersion": "v1", "kind": "K"}}
    CustomKind(EMBEDDING, compile_schema(EMBEDDING)).default(obj)
    assert obj["inner"]["metadata"] == {"name": "n"}  # type: ignore[index]  # of a literal


def test_what_others_have_stored_is_repaired() -> None:
    broken: dict[str, Any] = {"annotations": {"a": 42}, "labels": {"l": "x y"}, "unknown": 42, "generation": None}
    obj = {"kind": "K", "metadata": {"name": "n", **broken}, "inner": {"kind": 1, "metadata": dict(broken)}}
    CustomKind(EMBEDDING, compile_schema(EMBEDDING)).repair(obj)
    left = {"labels": {"l": "x y"}}
    assert obj == {"kind": "K", "metadata": {"name": "n", "generation": 1, **left}, "inner": {"metadata": left}}
