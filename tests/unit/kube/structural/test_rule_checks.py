# ruff: noqa: E501 (a message of upstream's stays in one piece)
"""What is wrong with the rules of a definition: form, types, cost, and comparisons that cannot be made."""

from typing import Any

import pytest

from kybern.kube.structural import CustomKind, compile_schema
from kybern.kube.structural.definition import check_schema

TEXT, INT = {"type": "string"}, {"type": "integer"}
ADVICE = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"


def ruled(field: dict[str, Any], *rules: dict[str, Any] | str) -> dict[str, Any]:
    return {**field, "x-kubernetes-validations": [{"rule": one} if isinstance(one, str) else one for one in rules]}


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def listed(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def found(field: dict[str, Any]) -> list[str]:
    return [str(error).removeprefix("S.properties[x]") for error in check_schema(thing(x=field), "S")]


GOOD: dict[str, dict[str, Any]] = {
    "numbers of both kinds": ruled(thing(a=INT, b={"type": "number"}), "self.a < self.b && self.b > 1"),
    "every type": ruled(
        thing(
            t={**TEXT, "format": "date-time"}, d={**TEXT, "format": "duration"}, b={**TEXT, "format": "byte"},
            i={"x-kubernetes-int-or-string": True}, m={"type": "object", "additionalProperties": listed(TEXT)},
            f={"type": "boolean"},
        ),
        "self.t < timestamp('2030-01-01T00:00:00Z') && self.d < duration('1h') && self.b == b'a' && self.f",
        "self.i == 1 || self.i == '50%'",
        "!('a' in self.m) || self.m['a'][0] == 'x'",
        "has(self.t) && !has(self.m)",
    ),
    "names are escaped": ruled(thing(**{"a-b": INT, "namespace": INT, "x.y": INT}), "self.a__dash__b == self.__namespace__ + self.x__dot__y"),
    "compared by key": listed(
        ruled(thing(k=TEXT, v=INT), "self.v == oldSelf.v") | {"required": ["k"]}, maxItems=5,
        **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]},
    ),
    "of a map": {"type": "object", "additionalProperties": ruled(thing(v=INT), "self.v >= oldSelf.v"), "maxProperties": 5},
    "within limits": ruled(thing(a=listed({**TEXT, "maxLength": 10}, maxItems=10)), "self.a.all(x, self.a.exists_one(y, x == y))"),
    "optional old": ruled(thing(a=INT), {"rule": "oldSelf.hasValue() || self.a > 0", "optionalOldSelf": True}),
    "message": ruled(thing(a=INT), {"rule": "self.a > 0", "messageExpression": "'is positive'", "fieldPath": ".a", "reason": "FieldValueForbidden"}),
    "quoted path": ruled(thing(**{"a.b": INT}), {"rule": "true", "fieldPath": "['a.b']"}),
    "embedded resources": ruled(
        {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
        "self.kind == 'Pod' && self.metadata.name.startsWith('a')",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_good(name: str) -> None:
    assert found(GOOD[name]) == []


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown field": (
        ruled(thing(a=INT), "self.z == 1"),
        ['.x-kubernetes-validations[0].rule: Invalid value: {"Rule":"self.z == 1","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: compilation failed: ERROR: <input>:1:5: undefined field \'z\'\n | self.z == 1\n | ....^'],
    ),
    "not bool": (
        ruled(thing(a=INT), "self.a"), ['.x-kubernetes-validations[0].rule: Invalid value: {"Rule":"self.a","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: cel expression must evaluate to a bool'],
    ),
    "message is no text": (
        ruled(thing(a=INT), {"rule": "true", "messageExpression": "self.a"}),
        ['.x-kubernetes-validations[0].messageExpression: Invalid value: {"Rule":"true","Message":"","MessageExpression":"self.a","Reason":null,"FieldPath":"","OptionalOldSelf":null}: messageExpression must evaluate to a string'],
    ),
    "empty": (ruled(thing(a=INT), " "), [".x-kubernetes-validations[0].rule: Required value: rule is not specified"]),
    "lines": (
        ruled(thing(a=INT), {"rule": "self.a\n > 1"}),
        [".x-kubernetes-validations[0].message: Required value: message must be specified if rule contains line breaks"],
    ),
    "reason": (
        ruled(thing(a=INT), {"rule": "true", "reason": "Because"}),
        ['.x-kubernetes-validations[0].reason: Unsupported value: "Because": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"'],
    ),
    "path": (
        ruled(thing(a=INT), {"rule": "true", "fieldPath": ".b"}),
        ['.x-kubernetes-validations[0].fieldPath: Invalid value: ".b": must be a valid path'],
    ),
    "items are not compared": (
        listed(ruled(thing(a=INT), "self.a == oldSelf.a"), maxItems=5),
        ['.items.x-kubernetes-validations[0].rule: Invalid value: "self.a == oldSelf.a": oldSelf cannot be used on the uncorrelatable portion of the schema within S.properties[x]'],
    ),
    "optional without old": (
        ruled(thing(a=INT), {"rule": "true", "optionalOldSelf": True}),
        [".x-kubernetes-validations[0].optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule"],
    ),
    "too dear": (
        ruled(listed(TEXT), "self.all(a, self.all(b, a == b))"),
        [
            f".x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x {ADVICE}",
            ".x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
            f"S: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of more than 100x {ADVICE}",
        ],
    ),
    "a little too dear": (
        ruled(listed({**TEXT, "maxLength": 20}, maxItems=1000), "self.all(a, self.exists(b, a == b))"),
        [f".x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of 1.400500x {ADVICE}"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad(name: str) -> None:
    field, expected = BAD[name]
    assert found(field) == expected


def test_the_root_knows_its_names() -> None:
    schema = ruled(
        thing(spec=thing(a=INT)), "self.metadata.name.size() < 64 && self.kind == 'A' && self.apiVersion != ''"
    )
    assert check_schema(schema, "S") == []
    (error,) = check_schema(ruled(thing(), "self.metadata.labels == {}"), "S")
    assert "undefined field 'labels'" in error.detail


def test_rules_of_the_conformance_suite() -> None:
    """Quadratic, and just within the static limit; an object of the largest size is beyond that of one evaluation."""
    numbers = [listed(INT, maxItems=most) for most in (1000, 1000, 725)]
    schema = ruled(
        thing(x=INT, y=INT, first=numbers[0], second=numbers[1], large=numbers[2]),
        "self.x + self.y > 0",
        "self.first.isSorted() && self.second.isSorted() && ((self.first.sum() + self.second.sum()) % 2 == 0)",
        "self.large.all(x, self.large.all(y, y == x))",
    )
    assert found(schema) == []
    good = {"x": 1, "y": 0, "first": [3, 4], "second": [5, 10], "large": [2, 2]}
    root = thing(x=schema)
    kind = CustomKind(root, compile_schema(root))
    assert kind.validate({"x": good}) == []
    errors = [error.detail for error in kind.validate({"x": {**good, "large": [20] * 725}})]
    assert errors == [
        "'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: self.large.all(x, self.large.all(y, y == x))"
    ]
    inner = ruled(listed(TEXT), "self.all(s, s == 'string constant')")
    assert "exceeds budget" in found(thing(x=listed(inner)))[0]
