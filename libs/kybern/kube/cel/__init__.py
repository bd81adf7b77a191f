"""CEL: expressions of the Common Expression Language in the dialect of Kubernetes.

    compile_expression(expression, variables) -> Program   raises CompileError
    Program.evaluate(values, budget) -> value   raises EvaluationError, worded as cel-go does

The CEL project's compiler reads and type-checks an expression (`compiler`); its tree is run here (`evaluator`), within
a budget, over the functions in `library`. Values are plain Python where Python has them (`values`).
"""

from kybern.kube.cel.errors import CelError, CompileError, CostExceeded, EvaluationError
from kybern.kube.cel.library.authorizer import Answer, Authorizer
from kybern.kube.cel.program import BUDGET, CALL_LIMIT, Budget, Program, compile_expression

__all__ = [
    "BUDGET", "CALL_LIMIT", "Answer", "Authorizer", "Budget", "CelError", "CompileError", "CostExceeded",
    "EvaluationError", "Program", "compile_expression",
]  # fmt: skip
