"""matchConditions: named CEL expressions that must all be true before a webhook or a policy is asked.

One that is false decides, whatever the others say; only then one that has no value does, as failurePolicy says.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kybern.kube.cel import Budget, CompileError, CostExceeded, EvaluationError, Program
from kybern.kube.cel.policy import Composition, Scope

BUDGET = 2_500_000  # units that the conditions of one webhook or policy may cost in a request
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


@dataclass(frozen=True, slots=True)
class Decision:
    """`failed` names the first condition without a value; `error` has those of all. It counts if `matched` is False."""

    matched: bool
    failed: str = ""
    error: str = ""


MATCHED = Decision(True)
NOT_MATCHED = Decision(False)


def _of_webhooks(expression: str) -> Program:
    return Composition(Scope()).compile(expression, variables=False)


class Conditions:
    """The compiled matchConditions of one configuration; make it once per change of the configuration.

    Variables: object, oldObject, request, authorizer; policies have `params` too.
    """

    def __init__(
        self, conditions: Iterable[Mapping[str, Any]], compiler: Callable[[str], Program] = _of_webhooks
    ) -> None:
        self._programs = [
            (condition.get("name") or "", condition.get("expression") or "", _compiled(condition, compiler))
            for condition in conditions
        ]

    def __bool__(self) -> bool:
        return bool(self._programs)

    def decide(self, values: Mapping[str, Any]) -> Decision:
        """`values` has every variable: None for an object that there is not."""
        failed: dict[str, str] = {}
        budget = Budget(BUDGET)
        for name, expression, program in self._programs:
            try:
                if isinstance(program, CompileError):
                    raise EvaluationError(f"compilation error: compilation failed: {program}")
                if program.evaluate(values, budget) is not True:
                    return NOT_MATCHED
            except EvaluationError as error:
                if isinstance(error, CostExceeded) and budget.left <= 0:
                    return Decision(False, name, OUT_OF_BUDGET)
                failed.setdefault(f"expression '{expression}' resulted in error: {error}", name)
        if not failed:
            return MATCHED
        told = next(iter(failed)) if len(failed) == 1 else f"[{', '.join(failed)}]"
        return Decision(False, next(iter(failed.values())), told)


def _compiled(condition: Mapping[str, Any], compiler: Callable[[str], Program]) -> Program | CompileError:
    try:
        return compiler((condition.get("expression") or "").strip())
    except CompileError as error:
        return error
