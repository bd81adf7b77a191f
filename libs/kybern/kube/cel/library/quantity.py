"""Quantities: `quantity('1.5Gi')`, compared and added."""

from dataclasses import dataclass
from typing import ClassVar

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.overloads import Overload, member, plain, walks
from kybern.kube.cel.values import INT_MAX, INT_MIN, Opaque
from kybern.kube.quantity import NANO, Quantity, QuantityError, from_int, parse

NAME = "kubernetes.Quantity"
LONGEST = 100  # characters; what is longer is no quantity that anybody means


@dataclass(frozen=True, slots=True)
class Amount(Opaque):
    """A quantity as a value."""

    type_name: ClassVar[str] = NAME
    quantity: Quantity

    def __str__(self) -> str:
        return str(self.quantity)


def _quantity(text: str) -> Amount:
    try:
        if len(text) > LONGEST:
            raise QuantityError("quantities must be short")
        return Amount(parse(text))
    except QuantityError as error:
        raise EvaluationError(str(error)) from None


def _is_quantity(text: str) -> bool:
    try:
        _quantity(text)
    except EvaluationError:
        return False
    return True


def _is_integer(amount: Amount) -> bool:
    return amount.quantity.nanos % NANO == 0 and INT_MIN <= amount.quantity.nanos // NANO <= INT_MAX


def _as_integer(amount: Amount) -> int:
    if not _is_integer(amount):
        raise EvaluationError("cannot convert value to integer")
    return amount.quantity.nanos // NANO


def _sign(amount: Amount) -> int:
    nanos = amount.quantity.nanos
    return (nanos > 0) - (nanos < 0)


def _approximate(amount: Amount) -> float:
    """Digits and power of ten multiplied as doubles."""
    digits, power = amount.quantity.nanos, -9
    while power < 0 and digits % 10 == 0:
        digits, power = digits // 10, power + 1
    return float(digits) if not power else digits * float(f"1e{power}")


def _compare(one: Amount, other: Amount) -> int:
    return (one.quantity > other.quantity) - (one.quantity < other.quantity)


OVERLOADS: list[Overload] = [
    plain("quantity", f"string -> {NAME}", _quantity, walks),
    plain("isQuantity", "string -> bool", _is_quantity, walks),
    plain("sign", f"{NAME} -> int", _sign),
    member("isInteger", f"{NAME} -> bool", _is_integer),
    member("asInteger", f"{NAME} -> int", _as_integer),
    member("asApproximateFloat", f"{NAME} -> double", _approximate),
    member("isGreaterThan", f"{NAME}, {NAME} -> bool", lambda one, other: one.quantity > other.quantity),
    member("isLessThan", f"{NAME}, {NAME} -> bool", lambda one, other: one.quantity < other.quantity),
    member("compareTo", f"{NAME}, {NAME} -> int", _compare),
    member("add", f"{NAME}, {NAME} -> {NAME}", lambda one, other: Amount(one.quantity + other.quantity)),
    member("add", f"{NAME}, int -> {NAME}", lambda one, other: Amount(one.quantity + from_int(other))),
    member("sub", f"{NAME}, {NAME} -> {NAME}", lambda one, other: Amount(one.quantity - other.quantity)),
    member("sub", f"{NAME}, int -> {NAME}", lambda one, other: Amount(one.quantity - from_int(other))),
]
