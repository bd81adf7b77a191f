# ruff: noqa: E501 (a message of upstream's stays in one piece)
"""x-kubernetes-validations: rules, transition rules, messages, reasons, and what is wrong with rules themselves."""

from typing import Any

import pytest

from kybern.kube.structural import CustomKind, compile_schema
from kybern.kube.structural.definition import check_schema
from kybern.kube.structural.names import escape

NUMBERS = {"a": {"type": "integer"}, "b": {"type": "integer"}}


def judged(field: dict[str, Any], value: Any, old: Any = ...) -> list[str]:
    """What is wrong with `x`, or with its change."""
    schema = {"type": "object", "properties": {"x": field}}
    kind = CustomKind(schema, compile_schema(schema))
    return [str(e) for e in (kind.validate({"x": value}) if old is ... else kind.validate({"x": value}, {"x": old}))]


def ruled(rule: str, field: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        **(field or {"type": "object", "properties": NUMBERS}),
        "x-kubernetes-validations": [{"rule": rule, **more}],
    }


TEXT = {"type": "string"}
LIST = {"type": "array", "items": {"type": "integer"}}
RULES: dict[str, tuple[dict[str, Any], Any, list[str]]] = {
    "kept": (ruled("self.a < self.b"), {"a": 1, "b": 2}, []),
    "broken": (ruled("self.a < self.b"), {"a": 2, "b": 1}, ['x: Invalid value: failed rule: self.a < self.b']),
    "message": (ruled("self.a < self.b", message="a first"), {"a": 2, "b": 1}, ['x: Invalid value: a first']),
    "message expression": (
        ruled("self.a < 1", messageExpression="'a is %d'.format([self.a])"), {"a": 2}, ['x: Invalid value: a is 2'],
    ),
    "reason and path": (
        ruled("self.a < 1", message="no", reason="FieldValueForbidden", fieldPath=".a"), {"a": 2}, ["x.a: Forbidden: no"],
    ),
    "required": (ruled("has(self.b)", message="b", reason="FieldValueRequired", fieldPath=".b"), {}, ["x.b: Required value: b"]),
    "absent field": (
        ruled("self.a < self.b"), {"a": 1}, ['x: Invalid value: "object": no such key: b evaluating rule: self.a < self.b'],
    ),
    "division": (ruled("1 / self.a == 1"), {"a": 0}, ['x: Invalid value: "object": division by zero evaluating rule: 1 / self.a == 1']),
    "sorted": (ruled("self.isSorted()", LIST), [2, 1], ['x: Invalid value: failed rule: self.isSorted()']),
    "sum, min, max": (ruled("self.sum() == 6 && self.min() == 1 && self.max() == 3", LIST), [1, 2, 3], []),
    "find": (ruled("self.find('[0-9]+') == '12' && self.findAll('[a-z]') == ['a', 'b']", TEXT), "a12b", []),
    "checks": (ruled("isURL('https://a/b') && !isIP(self) && isQuantity('1Gi') && isCIDR('10.0.0.0/8')", TEXT), "x", []),
    "time": (
        ruled("self < timestamp('2027-01-01T00:00:00Z')", {**TEXT, "format": "date-time"}), "2026-01-01T00:00:00Z", [],
    ),
    "duration": (ruled("self <= duration('1h')", {**TEXT, "format": "duration"}), "61m",
                 ['x: Invalid value: "61m": failed rule: self <= duration(\'1h\')']),
    "escaped": (
        ruled("self.a__dash__b == self.__namespace__", {"type": "object", "properties": {"a-b": TEXT, "namespace": TEXT}}),
        {"a-b": "1", "namespace": "1"}, [],
    ),
    "keys of maps are not escaped": (
        ruled("'a-b' in self", {"type": "object", "additionalProperties": TEXT}), {"a-b": "1"}, [],
    ),
    "wrong shape": (
        ruled("self.a < self.b"), {"a": "1"},
        ['x.a: Invalid value: "string": x.a in body must be of type integer: "string"',
         '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation'],
    ),
    "in items": (
        {"type": "array", "items": ruled("self.a > 0")}, [{"a": 1}, {"a": 0}], ['x[1]: Invalid value: failed rule: self.a > 0'],
    ),
    "in members": (
        {"type": "object", "properties": {"p": ruled("self == 'a'", TEXT)},
         "additionalProperties": ruled("self == 'a'", TEXT)},
        {"p": "b", "k": "b"},
        ["x.p: Invalid value: \"b\": failed rule: self == 'a'", "x[k]: Invalid value: \"b\": failed rule: self == 'a'"],
    ),
    "transition of something new": (ruled("self == oldSelf", TEXT), "a", []),
    "optional old self": (ruled("!oldSelf.hasValue()", TEXT, optionalOldSelf=True), "a", []),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_rules(name: str) -> None:
    field, value, expected = RULES[name]
    assert judged(field, value) == expected


def test_transitions() -> None:
    fixed = ruled("self == oldSelf", TEXT, message="is fixed")
    assert judged(fixed, "b", old="a") == ['x: Invalid value: "b": is fixed']
    assert judged(fixed, "a", old="a") == []
    growing = ruled("oldSelf.orValue([]).size() <= self.size()", LIST, optionalOldSelf=True)
    assert judged(growing, [1], old=[1, 2]) != []
    assert judged(growing, [1, 2, 3], old=[1, 2]) == []


def test_items_of_a_map_are_compared_by_key() -> None:
    item = {"type": "object", "required": ["k"], "properties": {"k": TEXT, "v": ruled("self == oldSelf", TEXT)}}
    keyed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": item}
    assert judged(keyed, [{"k": "new", "v": "1"}, {"k": "a", "v": "1"}], old=[{"k": "a", "v": "1"}]) == []
    assert judged(keyed, [{"k": "a", "v": "2"}], old=[{"k": "a", "v": "1"}]) == [
        'x[0].v: Invalid value: "2": failed rule: self == oldSelf'
    ]


def test_what_an_update_leaves_alone_is_not_judged() -> None:
    assert judged(ruled("self.a < 1"), {"a": 2}, old={"a": 2}) == []
    assert judged(ruled("self.a < 1"), {"a": 3}, old={"a": 2}) != []


def test_rules_are_compiled_with_the_definition() -> None:
    schema = {"type": "object", "properties": {"x": ruled("self.a <")}}
    (error,) = check_schema(schema, "S")
    assert error.field == "S.properties[x].x-kubernetes-validations[0].rule"
    assert error.detail.startswith("compilation failed: ERROR: <input>:1:9: Syntax error")
    schema = {"type": "object", "properties": {"x": ruled("other == 1")}}
    (error,) = check_schema(schema, "S")
    assert "undeclared reference to 'other'" in error.detail


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("plain", "plain"),
        ("a-b", "a__dash__b"),
        ("a.b/c", "a__dot__b__slash__c"),
        ("a__b", "a__underscores__b"),
        ("in", "__in__"),
    ],
)
def test_escape(name: str, escaped: str) -> None:
    assert escape(name) == escaped


def test_a_broken_rule_of_what_stays_is_a_warning() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "x-kubernetes-validations": [{"rule": "self == 'b'"}]}},
    }
    kind = CustomKind(schema, compile_schema(schema))
    warnings: list[Any] = []
    assert kind.validate({"a": "x"}, {"a": "x"}, warnings) == []
    assert [str(one) for one in warnings] == ["a: Invalid value: \"x\": failed rule: self == 'b'"]
