"""Amounts of resources are whole thousandths, rounded up, wherever core/v1 lists them."""

from kybern.kube import quantity
from kybern.kube.defaults.rules import Function, Object

_MILLI = 10**6  # billionths
_SMALL = ("n", "u", "m")  # ends of what may be less than a thousandth, as are exponents below 0


def thousandths(*members: str) -> Function:
    """A function of rules: of an object whose `members` map resources to amounts."""

    def round_up(obj: Object) -> None:
        for member in members:
            amounts = obj.get(member) or {}
            for name, amount in amounts.items():
                if amount.endswith(_SMALL) or "." in amount or "-" in amount:
                    amounts[name] = _rounded(amount)

    return round_up


def _rounded(amount: str) -> str:
    found = quantity.parse(amount)
    if not found.nanos % _MILLI:
        return amount
    return str(quantity.Quantity(-(-found.nanos // _MILLI) * _MILLI, found.format))
