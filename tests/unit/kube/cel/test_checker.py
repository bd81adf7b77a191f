"""The type checker: what it says of expressions, in cel-go's words, and the types it finds."""

import pytest

from kybern.kube.cel import CompileError, compiler
from kybern.kube.cel.shapes import ListOf, MapOf, Scalar, Structs, struct
from kybern.kube.cel.wording import shown_type

TEXT, INT = Scalar("string"), Scalar("int")
STRUCTS = Structs()
SELF = STRUCTS.type_of(
    struct({"s": TEXT, "i": INT, "o": struct({"x": TEXT}), "l": ListOf(TEXT), "ll": ListOf(ListOf(TEXT)),
            "ls": ListOf(struct({"k": TEXT})), "m": MapOf(INT), "ml": MapOf(ListOf(TEXT)), "d": Scalar("dyn")}),
    "self",
)  # fmt: skip
WHERE = compiler.Environment({"self": SELF}, STRUCTS)
TYPES = {
    "self.ll[0][0]": "string",
    "self.ml['a'].map(x, x.size())": "list(int)",
    "self.ls[0]": "self.ls.@idx",
    "self.?o.?x": "optional_type(string)",
    "self.o.?x.orValue('a')": "string",
    "[].map(x, x + 1)": "list(int)",
    "[]": "list(dyn)",
    "self.d + 1": "int",
    "self.d + self.d": "dyn",
    "true ? self.d : 1": "dyn",
    "type(1)": "type(int)",
    "timestamp(0) - timestamp(0)": "duration",
    "self.m.transformMap(k, v, string(v))": "map(string, string)",
    "sets.contains([], [1])": "bool",
    ".size([1])": "int",
    "self.l.sortBy(x, x.size())": "list(string)",
    "{'a': 1}[?'a'].optMap(x, x + 1)": "optional_type(int)",
}


@pytest.mark.parametrize("expression", TYPES)
def test_types(expression: str) -> None:
    checked = compiler.check(expression, WHERE)
    assert shown_type(checked.type_of(checked.root)) == TYPES[expression]


PROBLEMS = {  # column and problem
    "'a'.charAt()": [(11, "found no matching overload for 'charAt' applied to 'string.()'")],
    "size(1, 2)": [(5, "found no matching overload for 'size' applied to '(int, int)'")],
    "sets.contains([1])": [(14, "found no matching overload for 'sets.contains' applied to '(list(int))'")],
    "self.o + 1": [(8, "found no matching overload for '_+_' applied to '(self.o, int)'")],
    "self.ll[0] + 1": [(12, "found no matching overload for '_+_' applied to '(list(string), int)'")],
    "self.ls.map(x, x + 1)": [(18, "found no matching overload for '_+_' applied to '(self.ls.@idx, int)'")],
    "self.zz.yy": [(5, "undefined field 'zz'")],
    "self.s.x": [(7, "type 'string' does not support field selection")],
    "quantity('1').x": [(14, "unexpected failed resolution of 'kubernetes.Quantity'")],
    "[].x": [(3, "type 'list(_var0)' does not support field selection")],
    "a + b": [
        (1, "undeclared reference to 'a' (in container '')"),
        (5, "undeclared reference to 'b' (in container '')"),
    ],
    "self.s && 1": [(5, "expected type 'bool' but found 'string'"), (11, "expected type 'bool' but found 'int'")],
    "[1, dyn(1)]": [(8, "expected type 'int' but found 'dyn'")],
    "[[1], ['a']]": [(7, "expected type 'list(int)' but found 'list(string)'")],
    "[1, 'a', true]": [(5, "expected type 'int' but found 'string'")],
    "{'a': optional.none(), 'b': 1}": [(29, "expected type 'optional_type(dyn)' but found 'int'")],
    "[?1]": [(3, "expected type 'optional_type(int)' but found 'int'")],
    "1.all(x, true)": [
        (1, "expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)")
    ],
    "Foo{a: 1}": [(4, "undeclared reference to 'Foo' (in container '')")],
    "self{a: 1}": [(5, "'self' is not a type"), (7, "unexpected failed resolution of 'self'")],
    "int{a: 1}": [(4, "'int' is not a message type"), (6, "undefined field 'a'")],
    "'%d'.format(['a'])": [
        (14, "error during formatting: decimal clause can only be used on integers, was given string")
    ],
    "self.l.all(x, x, true)": [(15, "duplicate variable name: x")],
    "self.`a`": [(6, "unsupported syntax: '`'")],
    "jsonpatch.escapeKey('a')": [
        (1, "undeclared reference to 'jsonpatch' (in container '')"),
        (20, "undeclared reference to 'escapeKey' (in container '')"),
    ],
}


@pytest.mark.parametrize("expression", PROBLEMS)
def test_problems(expression: str) -> None:
    with pytest.raises(CompileError) as caught:
        compiler.check(expression, WHERE)
    lines = [
        f"ERROR: <input>:1:{column}: {problem}\n | {expression}\n | {'.' * (column - 1)}^"
        for column, problem in PROBLEMS[expression]
    ]
    assert str(caught.value) == "\n".join(lines)


def test_marks_are_wide_where_letters_are() -> None:
    with pytest.raises(CompileError) as caught:
        compiler.check("'é' +\tfoo", WHERE)
    assert str(caught.value).endswith("\n | 'é' + foo\n | .．....^")


def test_other_places_are_not_lost_in_a_failed_attempt() -> None:
    checked = compiler.check("[[], [1]].map(x, x.map(y, y + 1))", WHERE)
    assert shown_type(checked.type_of(checked.root)) == "list(list(int))"
