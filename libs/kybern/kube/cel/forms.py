"""Operators and functions that do not evaluate all of their arguments, or that are called too often to be looked up."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kybern.kube.cel import ast, operators
from kybern.kube.cel.errors import CostExceeded, EvaluationError, no_overload
from kybern.kube.cel.frame import Frame, Step, binary, spend
from kybern.kube.cel.values import Optional, equal

if TYPE_CHECKING:
    from kybern.kube.cel.evaluator import Builder

Form = Callable[["Builder", Sequence[ast.Node]], Step]


def _equals(builder: "Builder", nodes: Sequence[ast.Node]) -> Step:
    left, right = map(builder.build, nodes)

    def run(frame: Frame) -> Any:
        one, other = left(frame), right(frame)
        frame[0] -= 1
        if type(one) is str and type(other) is str:
            frame[0] -= len(one) // 10 if len(one) < len(other) else len(other) // 10
            return one == other
        if isinstance(one, (Mapping, Sequence)):
            spend(frame, operators.comparison_price(one, other))
        return equal(one, other)

    return run


def _differs(builder: "Builder", nodes: Sequence[ast.Node]) -> Step:
    same = _equals(builder, nodes)
    return lambda frame: not same(frame)


def _bool(value: Any, function: str) -> bool:
    if value is True or value is False:
        return bool(value)
    raise no_overload()


def _logic(stop: bool, function: str) -> Form:
    """`&&` stops at false, `||` at true; an error counts only if the other side does not stop."""

    def make(builder: "Builder", nodes: Sequence[ast.Node]) -> Step:
        left, right = map(builder.build, nodes)

        def run(frame: Frame) -> Any:
            try:
                one = _bool(left(frame), function)
            except CostExceeded:
                raise
            except EvaluationError:
                if _bool(right(frame), function) is stop:
                    return stop
                raise
            return stop if one is stop else _bool(right(frame), function)

        return run

    return make


def _not(builder: "Builder", nodes: Sequence[ast.Node]) -> Step:
    operand = builder.build(nodes[0])

    def run(frame: Frame) -> Any:
        frame[0] -= 1
        return not _bool(operand(frame), "!_")

    return run


def _conditional(builder: "Builder", nodes: Sequence[ast.Node]) -> Step:
    condition, then, otherwise = map(builder.build, nodes)

    def run(frame: Frame) -> Any:
        chosen = condition(frame)
        if chosen is True:
            return then(frame)
        if chosen is False:
            return otherwise(frame)
        raise no_overload()

    return run


def _not_strictly_false(builder: "Builder", nodes: Sequence[ast.Node]) -> Step:
    operand = builder.build(nodes[0])

    def run(frame: Frame) -> Any:
        try:
            return operand(frame) is not False
        except CostExceeded:
            raise
        except EvaluationError:
            return True

    return run


def _index(builder: "Builder", nodes: Sequence[ast.Node]) -> Step:
    return binary(operators.index, [builder.build(one) for one in nodes], None)


def _index_optional(builder: "Builder", nodes: Sequence[ast.Node]) -> Step:
    return binary(operators.index_optional, [builder.build(one) for one in nodes], None)


def _select_optional(builder: "Builder", nodes: Sequence[ast.Node]) -> Step:
    return binary(operators.select_optional, [builder.build(one) for one in nodes], None)


def _in(builder: "Builder", nodes: Sequence[ast.Node]) -> Step:
    return binary(operators.within, [builder.build(one) for one in nodes], _membership_price)


def _membership_price(_: Any, items: Any) -> int:
    return len(items) if isinstance(items, Sequence) else 0


def _negate(builder: "Builder", nodes: Sequence[ast.Node]) -> Step:
    operand = builder.build(nodes[0])

    def run(frame: Frame) -> Any:
        frame[0] -= 1
        return operators.negate(operand(frame))

    return run


def _or(builder: "Builder", nodes: Sequence[ast.Node]) -> Step:
    return _otherwise(builder, nodes, lambda optional: optional)


def _or_value(builder: "Builder", nodes: Sequence[ast.Node]) -> Step:
    return _otherwise(builder, nodes, lambda optional: optional.value)


def _otherwise(builder: "Builder", nodes: Sequence[ast.Node], opened: Callable[[Optional], Any]) -> Step:
    optional, otherwise = map(builder.build, nodes)

    def run(frame: Frame) -> Any:
        value = optional(frame)
        frame[0] -= 1
        if not isinstance(value, Optional):
            raise no_overload("orValue", value)
        return opened(value) if value.present else otherwise(frame)

    return run


FORMS: dict[str, Form] = {
    "_&&_": _logic(False, "_&&_"),
    "_||_": _logic(True, "_||_"),
    "!_": _not,
    "-_": _negate,
    "_==_": _equals,
    "_!=_": _differs,
    "_?_:_": _conditional,
    "_[_]": _index,
    "_[?_]": _index_optional,
    "_?._": _select_optional,
    "@in": _in,
    "@not_strictly_false": _not_strictly_false,
    "__not_strictly_false__": _not_strictly_false,
    "or": _or,
    "orValue": _or_value,
}
