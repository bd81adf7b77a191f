"""CEL: expressions of the Common Expression Language in the dialect of Kubernetes.

    compile_expression(expression, variables) -> Program   raises CompileError
    Program.evaluate(values) -> plain value   raises EvaluationError, worded as cel-go does

Variables are dynamically typed. Beyond the standard library there are the extensions strings, math, optional types,
encoders and bindings, and Kubernetes' functions on lists (isSorted, sum, min, max), regular
expressions (find, findAll), and the checks isURL, isIP, isCIDR, isQuantity.
"""

from kybern.kube.cel.program import CompileError, EvaluationError, Program, compile_expression

__all__ = ["CompileError", "EvaluationError", "Program", "compile_expression"]
