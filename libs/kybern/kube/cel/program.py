"""Program: one compiled expression, evaluated within a budget."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from kybern.kube.cel import ast, compiler
from kybern.kube.cel.constants import check_conversions
from kybern.kube.cel.errors import CompileError, CostExceeded, EvaluationError
from kybern.kube.cel.evaluator import Builder
from kybern.kube.cel.pieces import deeper
from kybern.kube.cel.walk import names

CALL_LIMIT = 1_000_000  # units that one evaluation may cost
BUDGET = 10_000_000  # units that all rules of one object, or one policy, may cost in a request


class Budget:
    """What several evaluations may cost together."""

    __slots__ = ("left",)

    def __init__(self, units: int = BUDGET) -> None:
        self.left = units


class Program:
    """A compiled expression."""

    __slots__ = ("_size", "_step", "checked", "uses", "variables")

    def __init__(self, checked: ast.Checked, variables: Sequence[str]) -> None:
        if checked.deep:
            with deeper():
                self._build(checked, variables)
        else:
            self._build(checked, variables)

    def _build(self, checked: ast.Checked, variables: Sequence[str]) -> None:
        check_conversions(checked.root)
        builder = Builder(checked, variables)
        self.checked = checked
        self.variables = tuple(variables)
        self.uses = frozenset(names(checked.root)) | frozenset(checked.names.values())
        try:
            self._step = builder.build(checked.root)
        except RecursionError:
            raise CompileError("the expression is nested too deeply") from None
        self._size = builder.size

    @property
    def result_type(self) -> ast.Type:
        """The type of the value, as far as it is known."""
        return self.checked.type_of(self.checked.root)

    def evaluate(self, values: Mapping[str, Any], budget: Budget | None = None) -> Any:
        """The value. Raises EvaluationError; CostExceeded once the budget or the limit of a call is spent."""
        if self.checked.deep:
            with deeper():
                return self._evaluate(values, budget)
        return self._evaluate(values, budget)

    def _evaluate(self, values: Mapping[str, Any], budget: Budget | None) -> Any:
        limit = CALL_LIMIT if budget is None else min(CALL_LIMIT, budget.left)
        frame: list[Any] = [limit, *[values.get(name) for name in self.variables]]
        frame.extend([None] * (self._size - len(frame)))
        try:
            found = self._step(frame)
            if frame[0] < 0:
                raise CostExceeded
            return found
        except EvaluationError:
            raise
        except RecursionError:
            raise EvaluationError("the values are nested too deeply") from None
        except (ArithmeticError, MemoryError, ValueError) as error:  # numbers and texts beyond what Python converts
            raise EvaluationError(str(error) or "out of memory") from None
        finally:
            if budget is not None:
                budget.left -= limit - frame[0]


@lru_cache(maxsize=4096)
def compile_expression(expression: str, variables: tuple[str, ...]) -> Program:
    """A program over variables of any type. Raises CompileError with the compiler's explanation."""
    return Program(compiler.check(expression, compiler.untyped(variables)), variables)
