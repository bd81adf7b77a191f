# ruff: noqa: E501 (tables of expressions)
"""Any text, and anything that looks like an expression: it compiles or not, has a value or not, and ends soon."""

import time
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kybern.kube.cel import CelError, CompileError, EvaluationError, Program, compile_expression

SECONDS = 5.0  # of the processor for one evaluation, at most
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abx", min_size=1, max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
NAMES = ("self", "oldSelf", "x", "self.a", "self.b[0]", "self.?a", "self[?0]")
ATOMS = (
    *NAMES, "1", "-1", "2u", "1.5", "0", "''", "'a'", "'aé'", "b'a'", "null", "true", "false", "[]", "{}", "int", "[1, 2]",
    "{'a': 1}", "9223372036854775807", "duration('1h')", "timestamp('2020-01-01T00:00:00Z')", "quantity('1Gi')",
    "ip('::1')", "cidr('10.0.0.0/8')", "semver('1.2.3')", "url('https://a/b')", "optional.none()", "optional.of(1)",
)  # fmt: skip
OPERATORS = ("+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in")
MEMBERS = (
    "size()", "all(x, {0})", "exists(x, {0})", "map(x, {0})", "filter(x, {0})", "map(x, {0}, {1})", "exists_one(x, {0})",
    "startsWith({0})", "contains({0})", "matches({0})", "find({0})", "findAll({0}, {1})", "split({0})", "join({0})",
    "replace({0}, {1})", "substring({0}, {1})", "indexOf({0})", "format({0})", "isSorted()", "sum()", "min()", "max()",
    "getHours({0})", "getSeconds()", "orValue({0})", "or({0})", "value()", "hasValue()", "add({0})", "compareTo({0})",
    "containsIP({0})", "a", "b", "all(x, y, {0})", "transformMap(x, y, {0})", "transformList(x, y, {0})", "lowerAscii()",
    "optMap(x, {0})", "charAt({0})", "reverse()", "first()", "isLessThan({0})", "getQuery()",
)  # fmt: skip
GLOBALS = (
    "size({0})", "int({0})", "uint({0})", "double({0})", "string({0})", "bool({0})", "bytes({0})", "type({0})", "dyn({0})",
    "has({0}.a)", "timestamp({0})", "duration({0})", "quantity({0})", "isQuantity({0})", "ip({0})", "url({0})", "isURL({0})",
    "cidr({0})", "semver({0}, {1})", "sets.contains({0}, {1})", "[{0}, {1}]",
    "{{'k': {0}}}", "{{{0}: {1}}}", "({0} ? {1} : {0})", "!{0}", "-({0})", "[{0}].map(x, {1})[0]", "optional.of({0})",
    "[?{0}]", "strings.quote({0})", "format.named({0})",
)  # fmt: skip


@st.composite
def combined(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    one, other = draw(inner), draw(inner)
    match draw(st.integers(0, 2)):
        case 0:
            return f"({one} {draw(st.sampled_from(OPERATORS))} {other})"
        case 1:
            return f"({one}).{draw(st.sampled_from(MEMBERS)).format(other, one)}"
    return draw(st.sampled_from(GLOBALS)).format(one, other)


expressions = st.recursive(st.sampled_from(ATOMS), combined, max_leaves=12)


def ends(expression: str, values: dict[str, Any]) -> None:
    """Whether it goes well or not, it is told properly and in time."""
    began, said = time.process_time(), "a value"
    try:
        program: Program = compile_expression(expression, ("self", "oldSelf"))
        program.evaluate(values)
    except (CompileError, EvaluationError) as error:
        said = str(error)
    assert said
    assert time.process_time() - began < SECONDS


@SLOW
@given(st.text(max_size=60), json_values)
def test_any_text(expression: str, value: Any) -> None:
    ends(expression, {"self": value, "oldSelf": None})


@SLOW
@given(expressions, json_values, json_values)
def test_anything_like_an_expression(expression: str, value: Any, old: Any) -> None:
    ends(expression, {"self": value, "oldSelf": old})


def test_what_runs_away_is_stopped() -> None:
    large = list(range(1000))
    loops = "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))"
    doubled = "[s + s].map(a, a)[0]"
    for _ in range(5):
        doubled = f"[{doubled}].map(s, {doubled})[0]"
    nested = "s"
    for at in range(29):
        nested = f"[{'s' if at == 0 else f's{at - 1}'} + {'s' if at == 0 else f's{at - 1}'}].map(s{at}, {nested})[0]"
    for expression in (
        loops,
        f"['xxxxxxxxxx'].map(s, {doubled})[0].size() > 0",
        "self.map(a, self.map(b, self)).size() > 0",
        "self.map(a, 'x').join(string(self)).replace('x', string(self)).size() > 0",
        "'" + "a" * 5000 + "'.matches('(a+)+$') && self.all(a, '" + "a" * 5000 + "'.matches('(a|aa)+b'))",
        "self.map(a, '%s'.format([self])).join('x').split('').size() > 0",
        "[self, self].map(a, a + a).map(a, a + a).map(a, a + a).map(a, a == a).size() > 0",
    ):
        ends(expression, {"self": large, "oldSelf": None})


def test_deep_values() -> None:
    deep: Any = []
    for _ in range(3000):
        deep = [deep]
    ends("self == oldSelf", {"self": deep, "oldSelf": [deep]})
    ends("self in [oldSelf]", {"self": deep, "oldSelf": deep})


def test_errors_have_one_root() -> None:
    assert issubclass(CompileError, CelError)
    assert issubclass(EvaluationError, CelError)
