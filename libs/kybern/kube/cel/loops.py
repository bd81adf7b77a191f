"""Comprehensions: what the macros `all`, `exists`, `map`, `filter` and their like become."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kybern.kube.cel import ast
from kybern.kube.cel.errors import CostExceeded, EvaluationError, no_overload
from kybern.kube.cel.frame import Frame, Step
from kybern.kube.cel.values import type_name


def is_true(node: ast.Node) -> bool:
    """Whether the node is the literal `true`."""
    return isinstance(node, ast.Const) and node.value is True


def decides(node: ast.Comprehension) -> tuple[bool, ast.Node] | None:
    """(the value that ends it, the predicate) of `all` and `exists`."""
    start, step = node.accu_init, node.loop_step
    if not (isinstance(start, ast.Const) and isinstance(start.value, bool) and isinstance(step, ast.Call)):
        return None
    if step.function != ("_&&_" if start.value else "_||_") or len(step.args) != 2 or not node.iter_var:
        return None
    accumulator = step.args[0]
    if not (isinstance(accumulator, ast.Ident) and isinstance(node.result, ast.Ident)):
        return None
    return (not start.value, step.args[1]) if accumulator.name == node.accu_var == node.result.name else None


def _elements(value: Any) -> Sequence[Any]:
    """What one variable stands for, one after the other: elements of a list, keys of a map."""
    if type(value) is list:
        return value
    if isinstance(value, Mapping):
        return list(value)
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        name = type_name(value).removesuffix("_type").rpartition(".")[2]
        raise EvaluationError(f"got 'types.{name.capitalize()}', expected iterable type")
    return value


def _pairs(value: Any) -> Iterable[tuple[Any, Any]]:
    """What two variables stand for: index and element, or key and value."""
    return list(value.items()) if isinstance(value, Mapping) else enumerate(_elements(value))


def quantifier(ranged: Step, test: Step, stop: bool, first: int, second: int) -> Step:
    """`all` stops at false, `exists` at true; an error counts only if nothing stops it."""

    price = 4 if stop else 3  # the condition and the accumulator that the macro's loop would have

    def run(frame: Frame) -> Any:
        frame.extend([None] * (max(first, second) + 1 - len(frame)))
        frame[0] -= 1
        failed: EvaluationError | None = None
        found = ranged(frame)
        for one in _pairs(found) if second else _elements(found):
            if second:
                frame[first], frame[second] = one
            else:
                frame[first] = one
            frame[0] -= price
            if frame[0] < 0:
                raise CostExceeded
            try:
                verdict = test(frame)
                if verdict is stop:
                    return stop
                if type(verdict) is not bool:
                    raise no_overload()
            except CostExceeded:
                raise
            except EvaluationError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return not stop

    return run


def loop(
    ranged: Step, initial: Step, condition: Step | None, step: Step, result: Step, places: tuple[int, int, int]
) -> Step:
    """Any comprehension; `places` are those of the accumulator and of the variables, 0 if there is none."""
    accu, first, second = places

    def run(frame: Frame) -> Any:
        found = ranged(frame)
        frame.extend([None] * (max(places) + 1 - len(frame)))
        frame[accu] = initial(frame)
        for one in _pairs(found) if second else _elements(found):
            if condition is not None and not condition(frame):
                break
            if second:
                frame[first], frame[second] = one
            elif first:
                frame[first] = one
            frame[0] -= 1
            if frame[0] < 0:
                raise CostExceeded
            frame[accu] = step(frame)
        return result(frame)

    return run
