"""The frame of an evaluation, and calls of functions in it."""

from collections.abc import Callable
from typing import Any

from kybern.kube.cel.errors import CostExceeded
from kybern.kube.cel.overloads import Function

Frame = list[Any]  # what may still be spent, then the values of variables
Step = Callable[[Frame], Any]


def spend(frame: Frame, units: int) -> None:
    """Raises CostExceeded."""
    frame[0] -= units
    if frame[0] < 0:
        raise CostExceeded


def binary(operate: Callable[[Any, Any], Any], steps: list[Step], price: Callable[[Any, Any], int] | None) -> Step:
    """A function of two values, with what it costs beyond a call."""
    left, right = steps

    def run(frame: Frame) -> Any:
        one, other = left(frame), right(frame)
        frame[0] -= 1
        if price is not None:
            extra = price(one, other)
            if extra:
                spend(frame, extra)
        return operate(one, other)

    return run


def invoke(function: Function, steps: list[Step]) -> Step:
    """A call of the overload that the arguments ask for."""

    def run(frame: Frame) -> Any:
        arguments = tuple([step(frame) for step in steps])
        overload = function.find(arguments)
        spend(frame, 1 if overload.price is None else overload.price(*arguments))
        return overload.implementation(*arguments)

    return run
