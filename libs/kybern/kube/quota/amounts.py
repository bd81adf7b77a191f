"""ResourceList arithmetic: amounts by resource name."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

from kybern.kube.quantity import ZERO, Quantity, parse

Amounts = dict[str, Quantity]


def read(resources: Mapping[str, Any] | None) -> Amounts:
    """Amounts from JSON. Raises QuantityError."""
    return {name: parse(amount) for name, amount in (resources or {}).items()}


def write(amounts: Mapping[str, Quantity]) -> dict[str, str]:
    """JSON, in order of names."""
    return {name: str(amounts[name]) for name in sorted(amounts)}


def add(left: Amounts, right: Amounts) -> Amounts:
    """The sum; a name that one side lacks counts as nothing there."""
    total = dict(left)
    for name, amount in right.items():
        total[name] = total[name] + amount if name in total else amount
    return total


def increase(new: Amounts, old: Amounts) -> Amounts:
    """What `new` has more than `old`; never less than nothing."""
    grown = {name: amount - old.get(name, ZERO) for name, amount in new.items()}
    return {name: amount if amount > ZERO else ZERO for name, amount in grown.items()}


def largest(left: Amounts, right: Amounts) -> Amounts:
    """Each amount's larger value; a name that one side lacks is as the other has it."""
    return {name: max(left.get(name, amount), right.get(name, amount)) for name, amount in {**left, **right}.items()}


def mask(amounts: Amounts, names: Container[str]) -> Amounts:
    """Only these names."""
    return {name: amount for name, amount in amounts.items() if name in names}


def exceeding(amounts: Amounts, bounds: Amounts) -> set[str]:
    """The names whose amount is above its bound; what has no bound is within it."""
    return {name for name, amount in amounts.items() if name in bounds and amount > bounds[name]}


def text(amounts: Amounts) -> str:
    """`cpu=1,pods=2`, as messages show amounts."""
    return ",".join(f"{name}={amounts[name]}" for name in sorted(amounts))


def names(resources: Iterable[str]) -> str:
    """Names as messages show them."""
    return ",".join(sorted(resources))
