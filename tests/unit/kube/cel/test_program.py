"""CEL programs: values, compile errors and evaluation errors."""

from typing import Any

import pytest

from kybern.kube.cel import CompileError, EvaluationError, compile_expression

VALUES: dict[str, tuple[Any, Any]] = {
    "self.a + 1": ({"a": 1}, 2),
    "self.all(x, x > 0)": ([1, 2], True),
    "self.?missing.orValue('none')": ({}, "none"),
    "self.lowerAscii().replace('a', 'b')": ("AA", "bb"),
    "self.findAll('a', 1)": ("aaa", ["a"]),
    "self == null": (None, True),
    "[self * 2].map(x, x + x)[0]": (2, 8),
}


@pytest.mark.parametrize("expression", VALUES)
def test_values(expression: str) -> None:
    value, expected = VALUES[expression]
    assert compile_expression(expression, ("self",)).evaluate({"self": value}) == expected


ERRORS: dict[str, tuple[Any, str]] = {
    "self.b == 1": ({}, "no such key: b"),
    "self[3] == 1": ([], "index out of bounds: 3"),
    "1 / self == 1": (0, "division by zero"),
    "self + 'a' == ''": (1, "no such overload"),
    "self > 5": (None, "no such overload: _>_"),
    "5 >= self": ([], "no such overload"),
}
BEYOND = {  # what Python does not convert
    "uint(self) == 1u": "9" * 5000,
    "duration(self) == duration('1s')": "9" * 5000 + "s",
    "[1, 2][dyn(double(self))] == 1": "nan",
    "[1, 2][dyn(double(self))] == 2": "inf",
    "bytes(self) == b''": "\ud800",
}


@pytest.mark.parametrize("expression", BEYOND)
def test_values_beyond_what_can_be_converted(expression: str) -> None:
    with pytest.raises(EvaluationError):
        compile_expression(expression, ("self",)).evaluate({"self": BEYOND[expression]})


@pytest.mark.parametrize("expression", ERRORS)
def test_errors(expression: str) -> None:
    value, message = ERRORS[expression]
    with pytest.raises(EvaluationError) as caught:
        compile_expression(expression, ("self",)).evaluate({"self": value})
    assert str(caught.value) == message


def test_compile_errors() -> None:
    with pytest.raises(CompileError, match="undeclared reference to 'other'"):
        compile_expression("other", ("self",))
