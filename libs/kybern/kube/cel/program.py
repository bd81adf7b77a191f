"""Program: one compiled expression, its errors in cel-go's words."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_encoders, ext_math, ext_optional, ext_strings

from kybern.kube.cel.functions import functions

_WORDS = (
    (re.compile(r'Key not found in map : "(.*)"', re.DOTALL), r"no such key: \1"),
    (re.compile(r"Index error: index=(-?\d+) size=\d+"), r"index out of bounds: \1"),
    (re.compile(r"divide by zero"), "division by zero"),
    (re.compile(r"No matching overloads found : .*", re.DOTALL), "no such overload"),
)


class CompileError(ValueError):
    """The expression is none."""


class EvaluationError(ValueError):
    """The expression has no value for these variables."""


class Program:
    """A compiled expression."""

    def __init__(self, expression: Any) -> None:
        self._expression = expression

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """The plain value. Raises EvaluationError."""
        try:
            found = self._expression.eval(data=dict(values))
        except (RuntimeError, ValueError, TypeError) as error:
            raise EvaluationError(_worded(str(error))) from None
        if found.type() == cel.Type.ERROR:
            raise EvaluationError(_worded(str(found.value())))
        return found.plain_value()


def _worded(message: str) -> str:
    message = re.sub(r"^[A-Z_]+: ", "", message)
    for pattern, words in _WORDS:
        if pattern.search(message):
            return pattern.sub(words, message)
    return message


@lru_cache(maxsize=64)
def _environment(variables: tuple[str, ...]) -> Any:
    extensions = [
        ext_strings.ExtStrings(), ext_math.ExtMath(), ext_optional.ExtOptional(), ext_encoders.ExtEncoders(),
        ext_bindings.ExtBindings(),
    ]  # fmt: skip
    return cel.NewEnv(variables=dict.fromkeys(variables, cel.Type.DYN), functions=functions(), extensions=extensions)


@lru_cache(maxsize=4096)
def compile_expression(expression: str, variables: tuple[str, ...]) -> Program:
    """Raises CompileError with the compiler's explanation."""
    try:
        return Program(_environment(variables).compile(expression))
    except (RuntimeError, ValueError) as error:
        message = re.sub(r"^[A-Z_]+: ", "", str(error)).removesuffix(" [INVALID_ARGUMENT]")
        raise CompileError(message) from None
