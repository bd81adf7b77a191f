"""Quantity: Kubernetes' exact decimal number with a unit, held as a whole count of nanos.

Three notations: binary ("1Ki"), decimal ("1k", "500m") and exponent ("1e3"); a sum keeps the notation of its left side.
Finer than a nano is rounded away from zero, so that asking for something never becomes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import lru_cache, total_ordering
from typing import Any

NANO = 10**9
_MAX_BINARY = (2**63 - 1) * NANO
_SPLIT = re.compile(r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)")
_LONGEST = 1000  # characters: beyond any use, and within the digits that Python converts
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_FORMAT_WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_DECIMAL_SUFFIX = {power: suffix for suffix, power in _DECIMAL.items()}
_BINARY_SUFFIX = ["", *_BINARY]


class QuantityError(ValueError):
    """Text that is not a quantity; the message is upstream's."""


class Format(Enum):
    DECIMAL_SI = "DecimalSI"
    BINARY_SI = "BinarySI"
    DECIMAL_EXPONENT = "DecimalExponent"


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """An exact amount: `nanos` billionths, and the notation it prints in. Equal when the amounts are."""

    nanos: int
    format: Format = Format.DECIMAL_SI

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nanos == other.nanos

    def __lt__(self, other: Quantity) -> bool:
        return self.nanos < other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)

    def __bool__(self) -> bool:
        return self.nanos != 0

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.nanos + other.nanos, self.format if self.nanos else other.format)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nanos - other.nanos, self.format if self.nanos else other.format)

    def __neg__(self) -> Quantity:
        return Quantity(-self.nanos, self.format)

    def __mul__(self, times: int) -> Quantity:
        return Quantity(self.nanos * times, self.format)

    def value(self) -> int:
        """Whole units, fractions rounded away from zero (upstream's Value)."""
        return _round_away(self.nanos, NANO)

    def milli_value(self) -> int:
        """Thousandths, fractions rounded away from zero (upstream's MilliValue): CPU millicores."""
        return _round_away(self.nanos, 10**6)

    def __float__(self) -> float:
        return self.nanos / NANO

    def __str__(self) -> str:
        """Canonical form: no fraction, the largest suffix that keeps it exact."""
        if self.nanos == 0:
            return "0"
        if self.format is Format.BINARY_SI and abs(self.nanos) >= 1024 * NANO and self.nanos % NANO == 0:
            return _binary_text(self.nanos // NANO)
        return _decimal_text(self.nanos, exponent=self.format is Format.DECIMAL_EXPONENT)


def _round_away(amount: int, unit: int) -> int:
    return -(-amount // unit) if amount >= 0 else amount // unit


def _binary_text(units: int) -> str:
    power = 0
    while units % 1024 == 0 and power < 6:
        units //= 1024
        power += 1
    return f"{units}{_BINARY_SUFFIX[power]}"


def _decimal_text(nanos: int, *, exponent: bool) -> str:
    power = -9
    while nanos % 1000 == 0 and (exponent or power < 18):
        nanos //= 1000
        power += 3
    if exponent:
        return f"{nanos}e{power}" if power else str(nanos)
    return f"{nanos}{_DECIMAL_SUFFIX[power]}"


@lru_cache(maxsize=4096)
def _parse_text(text: str) -> Quantity:
    if not 0 < len(text) <= _LONGEST:
        raise QuantityError(_FORMAT_WRONG)
    split = _SPLIT.fullmatch(text)
    if split is None or _NUMBER.fullmatch(split[1]) is None:
        raise QuantityError(_FORMAT_WRONG)
    number, suffix = Fraction(split[1]), split[2]
    scale, notation = _scale_of(suffix)
    exact = number * scale * NANO
    nanos = _round_away(exact.numerator, exact.denominator)
    if notation is Format.BINARY_SI:
        nanos = max(-_MAX_BINARY, min(_MAX_BINARY, nanos))
        if 0 < abs(nanos) < NANO:
            notation = Format.DECIMAL_SI
    return Quantity(nanos, notation)


def _scale_of(suffix: str) -> tuple[Fraction, Format]:
    if suffix in _DECIMAL:
        return Fraction(10) ** _DECIMAL[suffix], Format.DECIMAL_SI
    if suffix in _BINARY:
        return Fraction(2 ** _BINARY[suffix]), Format.BINARY_SI
    exponent = _EXPONENT.fullmatch(suffix)
    if exponent is None or abs(int(exponent[1])) > 400:
        raise QuantityError("unable to parse quantity's suffix")
    return Fraction(10) ** int(exponent[1]), Format.DECIMAL_EXPONENT


def parse(value: Any) -> Quantity:
    """A Quantity from JSON: text, or a number (which JSON clients may send). Raises QuantityError."""
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise QuantityError(_FORMAT_WRONG)
    return _parse_text(str(value) if isinstance(value, int) else repr(value))


def canonical(value: Any) -> str:
    """The canonical text of a quantity in JSON form."""
    return str(parse(value))


def from_int(units: int, notation: Format = Format.DECIMAL_SI) -> Quantity:
    return Quantity(units * NANO, notation)


def from_milli(millis: int) -> Quantity:
    return Quantity(millis * 10**6)


ZERO = Quantity(0)
