"""What can be wrong with an expression: it is none, or it has no value."""


class CelError(ValueError):
    """Both kinds."""


class CompileError(CelError):
    """The expression is none; the message is the compiler's explanation, as cel-go prints it."""


class InstantiationError(CompileError):
    """The expression is one, but no program can be made of it: a constant has no value of the type it is put into."""


class EvaluationError(CelError):
    """The expression has no value for these variables."""


class CostExceeded(EvaluationError):
    """The evaluation was stopped because it became too expensive."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


NO_OVERLOAD = "no such overload"


def no_overload(function: str = "", *arguments: object) -> EvaluationError:
    """No implementation takes values of these types."""
    if not function:
        return EvaluationError(NO_OVERLOAD)
    from kybern.kube.cel.values import type_name

    named = f"({', '.join(map(type_name, arguments))})" if arguments else ""
    return EvaluationError(f"{NO_OVERLOAD}: {function}{named}")
