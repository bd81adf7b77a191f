"""What functions cost at worst, and how large what they make may become: cel-go's and Kubernetes' prices.

A rule is given the sizes of the arguments. Costs and sizes are pairs (least, most); what has no known size is as large
as can be.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

from kybern.kube.cel import ast

MOST = (1 << 64) - 1
PASS, REGEX = 0.1, 0.25  # per character: going through a text; the share of a pattern
CHECK = 350_000
NEW_LIST = 11  # a call that makes a list
WIDEST = 4  # bytes of a character


class Span(NamedTuple):
    """From `least` to `most`."""

    least: int
    most: int

    def plus(self, other: "Span") -> "Span":
        return Span(_cap(self.least + other.least), _cap(self.most + other.most))

    def times(self, other: "Span") -> "Span":
        return Span(_cap(self.least * other.least), _cap(self.most * other.most))

    def share(self, factor: float) -> "Span":
        return Span(_part(self.least, factor), _part(self.most, factor))

    def union(self, other: "Span") -> "Span":
        return Span(min(self.least, other.least), max(self.most, other.most))


def _cap(value: int) -> int:
    return min(value, MOST)


def _part(value: int, factor: float) -> int:
    return MOST if value >= MOST and factor >= 1 else _cap(ceil(value * factor))


ZERO, ONE, ANY = Span(0, 0), Span(1, 1), Span(0, MOST)


@dataclass(slots=True)
class Estimate:
    """The cost of a node, and the size of its value if that is known."""

    cost: Span
    size: Span | None = None


@dataclass(frozen=True, slots=True)
class Arguments:
    """Of a call: the sizes of its arguments, the types of the first two and of its value, and what is written out."""

    sizes: list[Span]
    kind: ast.Type
    other: ast.Type
    result: ast.Type
    element: Span  # the size of what is in the list that is the first argument
    written: list[Any]  # None is not

    def number(self, at: int, otherwise: int) -> int:
        """The number that is written out as an argument; negative ones count as 0."""
        value = self.written[at] if at < len(self.written) else 0
        return otherwise if value is None else max(int(value), 0)


Rule = Callable[[Arguments], Estimate | None]
_SCALAR_TYPES = ("type", "net.", "kubernetes.Quantity", "kubernetes.Semver", "kubernetes.NamedFormat")
_TEXTS = ("string", "bytes")


def _one_pass(of: Arguments) -> Estimate:
    return Estimate(of.sizes[0].share(PASS), of.sizes[0])


def _printed(of: Arguments) -> Estimate:
    return Estimate(of.sizes[0].share(PASS))


def _quoted(of: Arguments) -> Estimate:
    """Every character may be escaped; two quotes."""
    return Estimate(of.sizes[0].share(PASS), of.sizes[0].plus(of.sizes[0]).plus(Span(2, 2)))


def _parse(of: Arguments) -> Estimate:
    return Estimate(of.sizes[0].share(PASS) if of.kind.name in ("string", "dyn") else ONE)


def _parse_and_print(of: Arguments) -> Estimate:
    return Estimate(of.sizes[0].share(2 * PASS))


def _as_it_is(of: Arguments) -> Estimate:
    return Estimate(ONE, of.sizes[0])


def _encoded(of: Arguments) -> Estimate | None:
    if of.kind.name == "string":
        return Estimate(of.sizes[0].share(PASS), of.sizes[0].times(Span(1, WIDEST)))
    return Estimate(of.sizes[0].share(PASS), of.sizes[0]) if of.kind.name == "bytes" else None


def _decoded(of: Arguments) -> Estimate | None:
    return Estimate(of.sizes[0].share(PASS), of.sizes[0]) if of.kind.name == "bytes" else None


def _new_list(size: Span, factor: float = 1) -> Estimate:
    return Estimate(size.share(factor).plus(Span(NEW_LIST, NEW_LIST)), size)


def _reversed(of: Arguments) -> Estimate:
    return _new_list(of.sizes[0])


def _distinct(of: Arguments) -> Estimate:
    return _new_list(of.sizes[0].times(of.sizes[0]), 2)


def _sorted(of: Arguments) -> Estimate:
    """Every element may be compared with every other, by keys if there are any."""
    keys = of.other if of.other.name == "list" else of.kind
    texts = bool(keys.parameters) and keys.parameters[0].name in _TEXTS
    return _new_list(of.sizes[0].times(of.sizes[0]), 2 + PASS if texts else 2)


def _sliced(of: Arguments) -> Estimate:
    """A slice that ends before it starts is as long as can be."""
    size = (of.number(2, of.sizes[0].most) - of.number(1, 0)) % (MOST + 1)
    return _new_list(Span(size, size))


def _flattened(of: Arguments) -> Estimate:
    depth = of.number(1, MOST) if len(of.sizes) > 1 else 1
    found = _new_list(of.sizes[0], depth)
    return Estimate(found.cost, of.sizes[0])


def _range(of: Arguments) -> Estimate:
    count = of.number(0, MOST)
    return _new_list(Span(count, count))


def _argument(of: Arguments) -> Estimate:
    return Estimate(of.sizes[1].share(PASS))


def _add(of: Arguments) -> Estimate | None:
    size = of.sizes[0].plus(of.sizes[1])
    if of.result.name == "list":
        return Estimate(ONE, size)
    if of.result.name in _TEXTS:
        return Estimate(size.share(PASS), size)
    return Estimate(size.share(PASS).union(ONE), size) if of.result.name == "dyn" else None


def _compare(of: Arguments) -> Estimate:
    if of.kind.name.startswith(_SCALAR_TYPES) and of.kind.name != "type":
        return Estimate(ONE)
    most = min(of.sizes[0].most, of.sizes[1].most)
    return Estimate(Span(1 if most else 0, most).share(PASS))


def _order(of: Arguments) -> Estimate | None:
    kind = of.other.name if of.kind.name == "dyn" else of.kind.name
    if kind == "dyn":
        return Estimate(_compare(of).cost.union(ONE))
    return _compare(of) if kind in _TEXTS else None


def _in(of: Arguments) -> Estimate:
    return Estimate(ONE if of.other.name == "map" else of.sizes[1])


def _matches(of: Arguments) -> Estimate:
    return Estimate(of.sizes[0].plus(ONE).share(PASS).times(of.sizes[1].share(REGEX)))


def _find(of: Arguments) -> Estimate:
    return Estimate(_matches(of).cost, Span(0, of.sizes[0].most))


def _contains(of: Arguments) -> Estimate:
    return Estimate(of.sizes[0].share(PASS).times(of.sizes[1].share(PASS)))


def _split(of: Arguments) -> Estimate:
    return Estimate(of.sizes[0].share(2 * PASS), Span(0, of.sizes[0].most))


def _replace(of: Arguments) -> Estimate:
    text, old, new = of.sizes[0], of.sizes[1], of.sizes[2]
    if old.least == 0:
        most = _cap(_cap(text.most + 1) * new.most + text.most)
    elif new.most <= old.least:
        most = text.most
    else:
        most = _cap(ceil(text.most / old.least) * new.most)
    return Estimate(text.share(2 * PASS), Span(0, most))


def _join(of: Arguments) -> Estimate:
    size = of.sizes[0].times(of.element)
    if len(of.sizes) > 1:
        size = size.plus(of.sizes[1].times(Span(max(of.sizes[0].least - 1, 0), max(of.sizes[0].most - 1, 0))))
    return Estimate(size.share(PASS), size)


def _each(of: Arguments) -> Estimate:
    if of.kind.name != "list":
        return Estimate(of.sizes[0].share(PASS))
    element = of.kind.parameters[0].name if of.kind.parameters else "dyn"
    each = ONE.plus(of.element.share(PASS)) if element in _TEXTS else ONE
    return Estimate(of.sizes[0].times(each))


def _contains_ip(of: Arguments) -> Estimate:
    """Two addresses of 4 to 16 bytes; a text has to be read first."""
    return Estimate(Span(1, 4).plus(ZERO if of.sizes[1] == ANY else of.sizes[1].share(PASS)))


def _contains_cidr(of: Arguments) -> Estimate:
    return Estimate(_contains_ip(of).cost.plus(Span(2, 3)))


def _validate(of: Arguments) -> Estimate:
    """As a pattern of 128 characters."""
    return Estimate(of.sizes[1].share(PASS).times(Span(32, 32)))


def _sets(of: Arguments) -> Estimate:
    return Estimate(of.sizes[0].times(of.sizes[1]).plus(ONE))


def _equivalent(of: Arguments) -> Estimate:
    both = of.sizes[0].times(of.sizes[1])
    return Estimate(both.plus(both).plus(ONE))


_AUTHORIZER = ("serviceAccount", "path", "group", "resource", "subresource", "namespace", "name", "allowed", "reason",
               "error", "errored", "fieldSelector", "labelSelector")  # fmt: skip
FLAT = {"check": CHECK, **dict.fromkeys(_AUTHORIZER, 1)}
RULES: dict[str, Rule] = {
    "_+_": _add,
    "_==_": _compare, "_!=_": _compare, "_<_": _order, "_<=_": _order, "_>_": _order, "_>=_": _order,
    "@in": _in,
    "startsWith": _argument, "endsWith": _argument, "contains": _contains, "matches": _matches,
    "find": _find, "findAll": _find, "split": _split, "replace": _replace, "join": _join, "format": _printed,
    "lowerAscii": _one_pass, "upperAscii": _one_pass, "substring": _one_pass, "trim": _one_pass,
    "isSorted": _each, "sum": _each, "min": _each, "max": _each, "indexOf": _each, "lastIndexOf": _each,
    "url": _one_pass, "cidr": _parse, "ip": _parse, "isIP": _parse, "ip.isCanonical": _parse_and_print,
    "isCIDR": _parse, "quantity": _parse,
    "isQuantity": _parse, "semver": _parse, "isSemver": _parse, "validate": _validate,
    "containsIP": _contains_ip, "containsCIDR": _contains_cidr,
    "dyn": _as_it_is, "optional.of": _as_it_is, "bytes": _encoded, "string": _decoded, "strings.quote": _quoted,
    "sort": _sorted, "@sortByAssociatedKeys": _sorted, "distinct": _distinct,
    "reverse": _reversed, "slice": _sliced, "flatten": _flattened, "lists.range": _range,
    "sets.contains": _sets, "sets.intersects": _sets, "sets.equivalent": _equivalent,
}  # fmt: skip
