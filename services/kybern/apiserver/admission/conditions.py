"""matchConditions: named CEL expressions that must all be true before a webhook or a policy is asked.

One that is false decides, whatever the others say; only then one that has no value does, as failurePolicy says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kybern.kube.cel import CompileError, EvaluationError, Program, compile_expression

WEBHOOK_VARIABLES = ("object", "oldObject", "request", "authorizer")


@dataclass(frozen=True, slots=True)
class Decision:
    """`failed` names the condition without a value, with its error; it counts if `matched` is False and it is set."""

    matched: bool
    failed: str = ""
    error: str = ""


MATCHED = Decision(True)
NOT_MATCHED = Decision(False)


class Conditions:
    """The compiled matchConditions of one configuration; make it once per change of the configuration."""

    def __init__(self, conditions: Iterable[Mapping[str, Any]], variables: tuple[str, ...] = WEBHOOK_VARIABLES) -> None:
        self._programs: list[tuple[str, Program | CompileError]] = []
        for condition in conditions:
            self._programs.append(
                (condition.get("name") or "", _compiled(condition.get("expression") or "", variables))
            )

    def __bool__(self) -> bool:
        return bool(self._programs)

    def decide(self, values: Mapping[str, Any]) -> Decision:
        """`values` has every variable: None for an object that there is not."""
        failed: Decision | None = None
        for name, program in self._programs:
            try:
                if isinstance(program, CompileError):
                    raise EvaluationError(f"compilation error: {program}")
                if program.evaluate(values) is not True:
                    return NOT_MATCHED
            except EvaluationError as error:
                failed = failed or Decision(False, name, str(error))
        return failed or MATCHED


def _compiled(expression: str, variables: tuple[str, ...]) -> Program | CompileError:
    try:
        return compile_expression(expression, variables)
    except CompileError as error:
        return error
