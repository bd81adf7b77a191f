# ruff: noqa: E501 (a message of upstream's stays in one piece)
"""Values against schemas: what is refused, in upstream's exact words."""

from typing import Any

import pytest

from kybern.kube.structural import CustomKind, compile_schema
from kybern.kube.structural.values import go_number

A_KEY = {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}
MAP_LIST = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": A_KEY}

TEXTS = {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}


def errors(field: dict[str, Any], value: Any, old: Any = ..., name: str = "x") -> list[str]:
    """What is wrong with `spec.x`."""
    spec = {"type": "object", "properties": {name: field}}
    schema = {"type": "object", "properties": {"spec": spec}}
    kind = CustomKind(schema, compile_schema(schema))
    obj = {"spec": {name: value}}
    found = kind.validate(obj) if old is ... else kind.validate(obj, {"spec": {name: old}})
    return [str(error) for error in found]


BODY = "spec.x: Invalid value: {}: spec.x in body {}"
TABLE: dict[str, tuple[dict[str, Any], Any, list[str]]] = {
    "string for integer": ({"type": "integer"}, "a", [BODY.format('"string"', 'must be of type integer: "string"')]),
    "object for string": ({"type": "string"}, {}, [BODY.format('"object"', 'must be of type string: "object"')]),
    "number for integer": (
        {"type": "integer"}, 1.5,
        [BODY.format('"number"', 'must be of type integer: "number"'),
         '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.x'],
    ),
    "boolean for integer": ({"type": "integer"}, True, [BODY.format('"boolean"', 'must be of type integer: "boolean"')]),
    "whole number for integer": ({"type": "integer"}, 2.0, []),
    "integer for number": ({"type": "number"}, 2, []),
    "null": ({"type": "string"}, None, [BODY.format('"null"', 'must be of type string: "null"')]),
    "null allowed": ({"type": "string", "nullable": True}, None, []),
    "int or string": ({"x-kubernetes-int-or-string": True}, "50%", []),
    "neither int nor string": (
        {"x-kubernetes-int-or-string": True}, [], [BODY.format('"array"', 'must be of type integer,string: "array"')],
    ),
    "minimum": ({"type": "integer", "minimum": 1}, 0, [BODY.format(0, "should be greater than or equal to 1")]),
    "exclusive minimum": (
        {"type": "number", "minimum": 0.5, "exclusiveMinimum": True}, 0.5,
        [BODY.format(0.5, "should be greater than 0.5")],
    ),
    "maximum": ({"type": "integer", "maximum": 1e6}, 2000000, [BODY.format(2000000, "should be less than or equal to 1000000")]),
    "exclusive maximum": (
        {"type": "integer", "maximum": 3, "exclusiveMaximum": True}, 3, [BODY.format(3, "should be less than 3")],
    ),
    "multiple": ({"type": "integer", "multipleOf": 5}, 7, [BODY.format(7, "should be a multiple of 5")]),
    "short": ({"type": "string", "minLength": 2}, "a", [BODY.format('"a"', "should be at least 2 chars long")]),
    "long": ({"type": "string", "maxLength": 2}, "abc", ["spec.x: Too long: may not be more than 2 bytes"]),
    "pattern": ({"type": "string", "pattern": "^a$"}, "b", [BODY.format('"b"', "should match '^a$'")]),
    "pattern somewhere": ({"type": "string", "pattern": "a"}, "bab", []),
    "dollar is the very end": ({"type": "string", "pattern": "^a$"}, "a\n", [BODY.format('"a\\n"', "should match '^a$'")]),
    "enum": (
        {"type": "string", "enum": ["a", "b"]}, "c", ['spec.x: Unsupported value: "c": supported values: "a", "b"'],
    ),
    "true is not 1": ({"enum": [1], "x-kubernetes-preserve-unknown-fields": True}, True,
                      ['spec.x: Unsupported value: true: supported values: "1"']),
    "date-time": (
        {"type": "string", "format": "date-time"}, "now", [BODY.format('"now"', 'must be of type date-time: "now"')],
    ),
    "good date-time": ({"type": "string", "format": "date-time"}, "2026-01-02T03:04:05Z", []),
    "ipv4": ({"type": "string", "format": "ipv4"}, "::1", [BODY.format('"::1"', 'must be of type ipv4: "::1"')]),
    "uuid": ({"type": "string", "format": "uuid"}, "1", [BODY.format('"1"', 'must be of type uuid: "1"')]),
    "unknown format": ({"type": "string", "format": "fancy"}, "x", []),
    "few items": (
        {"type": "array", "minItems": 1, "items": {"type": "string"}}, [], [BODY.format(0, "should have at least 1 items")],
    ),
    "many items": (
        {"type": "array", "maxItems": 1, "items": {"type": "string"}}, ["a", "b"],
        ["spec.x: Too many: 2: must have at most 1 item"],
    ),
    "item": (
        {"type": "array", "items": {"type": "string"}}, ["a", 1],
        ['spec.x[1]: Invalid value: "integer": spec.x[1] in body must be of type string: "integer"'],
    ),
    "few properties": (
        {"type": "object", "minProperties": 1}, {}, [BODY.format(0, "should have at least 1 properties")],
    ),
    "required": (A_KEY, {"v": 1}, ["spec.x.k: Required value"]),
    "entry": (
        {"type": "object", "additionalProperties": {"type": "integer"}}, {"a": "b"},
        ['spec.x.a: Invalid value: "string": spec.x.a in body must be of type integer: "string"'],
    ),
    "set": (
        {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}, ["a", "b", "a"],
        ['spec.x[2]: Duplicate value: "a"'],
    ),
    "map": (MAP_LIST, [{"k": "a", "v": 1}, {"k": "a", "v": 2}], ['spec.x[1]: Duplicate value: {"k":"a"}']),
    "one of none": (
        {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {},
        ['<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found none valid',
         "spec.x.a: Required value"],
    ),
    "one of two": (
        {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1, "b": 1},
        ['<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
    ),
    "any of": (
        {"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {},
        ['<nil>: Invalid value: "": "spec.x" must validate at least one schema (anyOf)', "spec.x.a: Required value"],
    ),
    "all of": (
        {"type": "integer", "allOf": [{"minimum": 3}, {"minimum": 1}]}, 2,
        [BODY.format(2, "should be greater than or equal to 3"),
         '<nil>: Invalid value: "": "spec.x" must validate all the schemas (allOf)'],
    ),
    "not": (
        {"type": "integer", "not": {"enum": [3]}}, 3,
        ['<nil>: Invalid value: "": "spec.x" must not validate the schema (not)'],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_errors(name: str) -> None:
    field, value, expected = TABLE[name]
    assert errors(field, value) == expected


def test_what_an_update_leaves_alone_is_not_judged() -> None:
    assert errors({"type": "integer", "maximum": 3}, 9, old=9) == []
    assert errors({"type": "integer", "maximum": 3}, 9, old=8) != []
    assert errors({"type": "integer"}, True, old=1) != []
    old = [{"k": "a", "v": "wrong"}]
    assert errors(MAP_LIST, [{"k": "b", "v": 1}, *old], old=old) == []
    assert len(errors({**MAP_LIST, "x-kubernetes-list-type": "atomic"}, [{"k": "b"}, *old], old=old)) == 1


def test_values_of_an_enumeration_are_told_as_they_are_listed() -> None:
    (error,) = errors({"type": "string", "enum": ["foo", "bar"]}, "qux")
    assert error == 'spec.x: Unsupported value: "qux": supported values: "foo", "bar"'


def test_the_order_of_a_list_that_is_a_map_is_no_change() -> None:
    old = [{"k": "a"}, {"k": "b"}]
    assert errors({**MAP_LIST, "maxItems": 1}, old[::-1], old=old) == []
    assert errors({**MAP_LIST, "maxItems": 1}, [{"k": "b"}, {"k": "c"}], old=old) != []
    assert errors({**MAP_LIST, "x-kubernetes-list-type": "atomic", "maxItems": 1}, old[::-1], old=old) != []


def test_repeated_items_anywhere_before_an_update_let_others_in() -> None:
    def schema(keys: list[str]) -> dict[str, Any]:
        return {"type": "object", "properties": {"m": {**MAP_LIST, "x-kubernetes-list-map-keys": keys}, "s": TEXTS}}

    old = {"m": [{"k": "a", "v": 1}, {"k": "a", "v": 2}], "s": ["x"]}
    new = {**old, "s": ["x", "x"]}
    assert errors(schema(["k"]), new, old=old) == []
    assert errors(schema(["k", "v"]), new, old=old) == ['spec.x.s[1]: Duplicate value: "x"']


def test_the_type_of_an_object_is_always_judged() -> None:
    schema = {
        "type": "object",
        "properties": {"apiVersion": {"type": "string", "pattern": "/v1$"}, "x": {"type": "string"}},
    }
    kind = CustomKind(schema, compile_schema(schema))
    obj = {"apiVersion": "g/v2", "x": "y"}
    assert [error.field for error in kind.validate({**obj, "x": "z"}, obj)] == ["apiVersion"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"), (0.5, "0.5"), (65535, "65535"), (1e6, "1e+06"), (1234567.0, "1.234567e+06"), (123456, "123456"),
        (2147483647.0, "2.147483647e+09"), (2147483647, "2147483647"), (0.00001, "1e-05"), (0.0001, "0.0001"), (0, "0"), (-5, "-5"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_go_does(value: float, text: str) -> None:
    assert go_number(value) == text
