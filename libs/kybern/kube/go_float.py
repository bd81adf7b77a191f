"""Floats as Go's %v writes them."""

from decimal import Decimal


def go_float(value: float) -> str:
    """3, 0.5, 1e+06."""
    number = Decimal(repr(float(value))).normalize()
    exponent = number.adjusted()
    if not value or -4 <= exponent < 6:
        return f"{number:f}"
    digits = "".join(map(str, number.as_tuple().digits))
    sign, fraction = "-" if value < 0 else "", f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{fraction}e{exponent:+03d}"
