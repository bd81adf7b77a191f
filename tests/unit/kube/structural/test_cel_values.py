"""Values as CEL sees them: what is copied, sets and keyed lists, numbers by their declared type; budgets."""

from typing import Any

from kybern.kube.cel import Budget
from kybern.kube.field import FieldError
from kybern.kube.structural import CustomKind, compile_schema
from kybern.kube.structural.cel_values import to_cel
from kybern.kube.structural.rules import check_rules

TEXT, INT, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}


def judged(field: dict[str, Any], value: Any, old: Any = ...) -> list[str]:
    schema = {"type": "object", "properties": {"x": field}}
    kind = CustomKind(schema, compile_schema(schema))
    return [str(e) for e in (kind.validate({"x": value}) if old is ... else kind.validate({"x": value}, {"x": old}))]


def ruled(field: dict[str, Any], rule: str) -> dict[str, Any]:
    return {**field, "x-kubernetes-validations": [{"rule": rule}]}


def test_plain_values_are_not_copied() -> None:
    node = compile_schema({"type": "object", "properties": {"a": TEXT, "b": {"type": "array", "items": TEXT}}})
    value = {"a": "x", "b": ["y"]}
    assert to_cel(node, value) is value


def test_numbers_are_doubles() -> None:
    node = compile_schema({"type": "object", "properties": {"n": NUMBER, "i": INT}})
    found = to_cel(node, {"n": 1, "i": 1.0})
    assert [type(found["n"]), type(found["i"])] == [float, int]
    assert judged(ruled(NUMBER, "self + 0.5 == 1.5"), 1) == []


def test_sets_have_no_order() -> None:
    field = {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"}
    assert judged(ruled(field, "self == ['b', 'a']"), ["a", "b"]) == []
    assert judged(ruled(field, "['b', 'a'] == self && self != ['a', 'c']"), ["a", "b"]) == []
    assert judged(ruled(field, "self + ['b', 'c'] == ['a', 'b', 'c']"), ["a", "b"]) == []
    assert judged(ruled(field, "self == oldSelf"), ["a", "b"], old=["b", "a"]) == []


def test_keyed_lists_have_no_order() -> None:
    items = {"type": "object", "required": ["k"], "properties": {"k": TEXT, "v": INT}}
    field = {
        "type": "array", "items": items, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
    }  # fmt: skip
    one, two = {"k": "a", "v": 1}, {"k": "b", "v": 2}
    assert judged(ruled(field, "self == oldSelf"), [one, two], old=[two, one]) == []
    assert judged(ruled(field, "self == oldSelf"), [one], old=[{"k": "a", "v": 2}]) != []
    assert judged(ruled(field, "(self + self).size() == 2"), [one, two]) == []


def test_a_rule_that_costs_too_much_ends_everything() -> None:
    field = {"type": "array", "items": INT, "x-kubernetes-validations": [
        {"rule": "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))"}, {"rule": "false"},
    ]}  # fmt: skip
    (error,) = judged(field, list(range(200)))
    assert "'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to " in error


def test_all_rules_together_cost_too_much() -> None:
    inner = ruled({"type": "array", "items": INT}, "self.all(a, self.all(b, a + b >= 0))")
    errors: list[FieldError] = []
    node = compile_schema({"type": "array", "items": inner})
    check_rules(node, [list(range(10))] * 60, "x", errors, budget=Budget(20_000))
    (error,) = errors
    assert (
        error.detail == "validation failed due to running out of cost budget, no further validation rules will be run"
    )


def test_what_is_unchanged_all_around_is_not_judged() -> None:
    field = {"type": "array", "items": ruled({"type": "object", "properties": {"a": INT}}, "self.a > 0")}
    assert judged(field, [{"a": 0}], old=[{"a": 0}]) == []
    assert judged(field, [{"a": 0}, {"a": 1}], old=[{"a": 0}]) != []
