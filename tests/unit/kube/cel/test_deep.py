"""Expressions that nest deeply: up to 250 levels, as upstream, and never an error of Python's own."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kybern.kube.cel import CelError, CompileError, Program, compile_expression, compiler, cost, pieces, spans

X = ("x",)


def value(expression: str, x: Any = None) -> Any:
    return compile_expression(expression, X).evaluate({"x": x})


def chain(levels: int, before: str, middle: str, after: str) -> str:
    return before * levels + middle + after * levels


@pytest.mark.parametrize("levels", [33, 100, 248])
def test_levels(levels: int) -> None:
    assert value("+".join(["1"] * levels)) == levels
    assert value(chain(levels, "(", "x", ")"), 7) == 7
    assert value(" + ".join(["'a'"] * levels) + " == x", "a" * levels) is True
    assert value(chain(levels, "!(", "x", ")"), True) is (levels % 2 == 0)
    assert value("-".join(["x", *["1"] * (levels - 1)]), levels) == 1  # from the left


def test_conditionals() -> None:
    expression = "".join(f"x == {number} ? {number * 2} : " for number in range(120)) + "-1"
    assert [value(expression, x) for x in (0, 60, 119, 120)] == [0, 120, 238, -1]


def test_variables_of_macros_are_known_in_what_is_cut_out() -> None:
    inner = "+".join(["v"] * 60)
    assert value(f"x.all(v, {inner} == v * 60) && x.map(v, {inner}) == [60, 120]", [1, 2]) is True
    assert value(chain(40, "x.exists(v, v == 1 && ", "true", ")"), [1]) is True
    assert value(f"[{'+'.join(['x'] * 50)}].map(y, {'+'.join(['y'] * 50)})[0]", 2) == 5000


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("+".join(["1"] * 251), "ERROR: <input>:-1:0: max recursion depth exceeded"),
        (chain(251, "(", "1", ")"), "ERROR: <input>:-1:0: expression recursion limit exceeded: 250"),
        (chain(20_000, "[", "1", "]"), "expression recursion limit exceeded: 250"),
        (chain(5000, "!(", "true", ")"), "expression recursion limit exceeded: 250"),
        (chain(100, "(", "1 +", ")"), "recursion limit exceeded"),  # no CEL: the compiler's own words
        ("[" + ", ".join([chain(40, "(", "1", ")")] * 100) + "]", "nested too deeply in too many places"),
        (chain(10_000, "(", "", ""), "recursion limit exceeded"),
    ],
)
def test_what_is_refused(expression: str, words: str) -> None:
    with pytest.raises(CompileError) as caught:
        compile_expression(expression, X)
    assert words in str(caught.value)


def test_errors_are_shown_where_they_are() -> None:
    expression = "'a' +\n" + " + ".join(["'b'"] * 50) + " +\n1 + x"
    with pytest.raises(CompileError) as caught:
        compile_expression(expression, X)
    line = expression.split("\n")[1]
    found = "found no matching overload for '_+_' applied to '(string, int)'"
    assert str(caught.value) == f"ERROR: <input>:2:{len(line)}: {found}\n | {line}\n | {'.' * (len(line) - 1)}^"
    with pytest.raises(CompileError, match="undeclared reference to 'y'"):
        compile_expression("+".join(["x"] * 20 + ["y"] + ["x"] * 40), X)


def test_types_are_known_across_what_is_cut_out() -> None:
    where = compiler.environment({"n": "int", "s": "list<string>"})
    checked = compiler.check("+".join(["n"] * 60), where)
    assert (str(checked.type_of(checked.root)), checked.deep) == ("int", True)
    assert str(Program(compiler.check("+".join(["s"] * 60), where), ("n", "s")).result_type) == "list(string)"
    assert cost.estimate(checked, lambda path: 10) > 100


def in_pieces(expression: str, levels: int) -> Program:
    """The program compiled in pieces of so many levels, however deep it is."""
    where, before = compiler.untyped(X), pieces.CUT_AT
    assert spans.read(expression) is not None, expression
    pieces.CUT_AT = levels
    try:
        with pieces.deeper():
            return Program(
                compiler._checked(expression, compiler._in_pieces(expression, (), CompileError("")), where), X
            )
    finally:
        pieces.CUT_AT = before


def outcome(program: Program, x: Any) -> Any:
    try:
        return repr(program.evaluate({"x": x}))
    except CelError as error:
        return str(error)


ATOMS = (
    "1",
    "2.5",
    "'a b'",
    "r'\\d'",
    "x",
    "x.a",
    "x[0]",
    "[1, 2]",
    "{'k': 1}",
    "true",
    "null",
    "b'z'",
    "-3",
    "0x1F",
    "'''t'''",
)
FORMS = (
    "({0} + {1})", "{0} == {1}", "[{0}, {1}]", "{{'k': {0}}}", "({0}) ? {1} : {0}", "!({0})", "size({0})",
    "({0}).size()", "x.?a.orValue({0})",
    "x.all(v, v == {0})", "x.map(v, [v, {0}])", "({0} && {1} || {0})", "has(x.a) && {0}", "[{0}].all(v, v == {1})",
    "({0})[{1}]", "string({0})", "x.exists(v, w, v == {0})", "dyn({0}) < {1}", "optional.of({0}).orValue({1})",
)  # fmt: skip
expressions = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.builds(lambda form, one, two: form.format(one, two), st.sampled_from(FORMS), inner, inner),
    max_leaves=10,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(expressions, st.integers(3, 6))  # with less, a piece could be shorter than the name that stands for it
def test_pieces_are_what_the_whole_is(expression: str, levels: int) -> None:
    try:
        whole = compile_expression(expression, X)
    except CompileError:
        return
    try:
        parts = in_pieces(expression, levels)
    except CompileError as error:  # where a macro wants to see what is cut out
        raise AssertionError(f"{expression}: {error}") from error
    for x in ({"a": 1}, [1, 2], "text", None):
        assert outcome(parts, x) == outcome(whole, x)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="()[]{}x1'\"+-!?:.,&| \\\n", max_size=60), st.integers(0, 400))
def test_any_text_is_compiled_or_refused(text: str, levels: int) -> None:
    for expression in (text * 20, chain(levels, "(", text, ")"), "+".join([text] * levels)):
        try:
            outcome(compile_expression(expression, X), [1])
        except CompileError:
            continue
