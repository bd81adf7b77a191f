"""The static cost of an expression: what it may cost at worst, from the declared sizes of the values it looks at.

The model is that of cel-go with Kubernetes' prices: definitions whose rules could cost too much are refused. Costs and
sizes are pairs (least, most); what has no known size is as large as can be.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

from kybern.kube.cel import ast
from kybern.kube.cel.pieces import deeper

MOST = (1 << 64) - 1
PASS, REGEX = 0.1, 0.25  # per character: going through a text; the share of a pattern
CHECK = 350_000
Path = tuple[str, ...]
SizeOf = Callable[[Path], int | None]  # the most elements of what is at a path from a variable
_SCALARS = frozenset({"bool", "double", "duration", "int", "timestamp", "uint"})


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
    elements: Span | None = None


@dataclass
class Estimator:
    """Walks one checked tree."""

    checked: ast.Checked
    size_of: SizeOf
    _sizes: dict[int, Span] = field(default_factory=dict)
    _ranges: dict[str, list[Path | None]] = field(default_factory=dict)
    _elements: dict[int, Span] = field(default_factory=dict)  # of lists that functions make: what is in them
    _bound: dict[str, ast.Node] = field(default_factory=dict)  # what names of values stand for
    _target: Path | None = None
    _list: ast.Node | None = None

    def cost(self, node: ast.Node) -> Span:
        """What evaluating the node costs."""
        match node:
            case ast.Const():
                size = len(node.value) if isinstance(node.value, (str, bytes)) else 1
                self._sizes[node.id] = Span(size, size)
                return ZERO
            case ast.Ident():
                return ONE
            case ast.Select():
                inside = self.cost(node.operand)
                kind = self.checked.type_of(node.operand).name
                return inside if node.test_only or kind in ("dyn", "any") else inside.plus(ONE)
            case ast.CreateList():
                self._sizes[node.id] = Span(len(node.elements), len(node.elements))
                return self._sum(node.elements).plus(Span(10, 10))
            case ast.CreateStruct():
                return self._struct(node)
            case ast.Comprehension():
                return self._comprehension(node)
            case ast.Call():
                return self._call(node)
        return ZERO

    def _sum(self, nodes: Sequence[ast.Node]) -> Span:
        total = ZERO
        for node in nodes:
            total = total.plus(self.cost(node))
        return total

    def _struct(self, node: ast.CreateStruct) -> Span:
        base = 40 if node.message else 30
        self._sizes[node.id] = Span(len(node.entries), len(node.entries))
        keys = self._sum([entry.key for entry in node.entries if isinstance(entry.key, ast.Node)])
        return keys.plus(self._sum([entry.value for entry in node.entries])).plus(Span(base, base))

    def _comprehension(self, node: ast.Comprehension) -> Span:
        total = self.cost(node.iter_range).plus(self.cost(node.accu_init))
        path, kind = self.path(node.iter_range), self.checked.type_of(node.iter_range).name
        inner = None if path is None else (*path, "@keys" if kind == "map" else "@items")
        second = None if path is None else (*path, "@values" if kind == "map" else "@items")
        if node.iter_var2:
            inner = inner if kind == "map" else None
        if isinstance(node.iter_range, ast.CreateList) and not node.iter_range.elements:  # a name for a value
            self._bound[node.accu_var] = node.accu_init
        for name, where in ((node.iter_var, inner), (node.iter_var2, second), (node.accu_var, None)):
            self._ranges.setdefault(name, []).append(where)
        each = self.cost(node.loop_condition).plus(self.cost(node.loop_step))
        total = total.plus(self.cost(node.result))
        for name in (node.iter_var, node.iter_var2, node.accu_var):
            self._ranges[name].pop()
        count = self.size(node.iter_range)
        if self._bound.pop(node.accu_var, None) is not None:
            self._sizes[node.id] = self.size(node.result)
            if node.result.id in self._elements:
                self._elements[node.id] = self._elements[node.result.id]
        elif self.checked.type_of(node).name in ("list", "map"):
            self._sizes[node.id] = Span(0, count.most)
        return total.plus(count.times(each))

    def path(self, node: ast.Node) -> Path | None:
        """The way from a variable to a part of it, if the node is one."""
        match node:
            case ast.Ident():
                known = self._ranges.get(node.name)
                return known[-1] if known else (node.name,)
            case ast.Select(test_only=False):
                inner = self.path(node.operand)
                return None if inner is None else (*inner, node.field)
            case ast.Call(function="_[_]"):
                inner = self.path(node.args[0])
                kind = self.checked.type_of(node.args[0]).name
                return None if inner is None else (*inner, "@values" if kind == "map" else "@items")
            case ast.Call(function="_?._" | "_[?_]"):
                inner = self.path(node.args[0])
                name = node.args[1]
                if inner is None or not isinstance(name, ast.Const):
                    return None
                return (*inner, name.value if isinstance(name.value, str) else "@items")
        return None

    def size(self, node: ast.Node) -> Span:
        """How large its value may be."""
        known = self._sizes.get(node.id)
        if known is not None:
            return known
        if isinstance(node, ast.Ident) and node.name in self._bound:
            return self.size(self._bound[node.name])
        path = self.path(node)
        most = self.size_of(path) if path is not None else None
        if most is not None:
            return Span(0, most)
        if isinstance(node, ast.Call) and node.function == "_[_]" and node.args[0].id in self._elements:
            return self._elements[node.args[0].id]
        return ONE if self.checked.type_of(node).name in _SCALARS else ANY

    def _call(self, node: ast.Call) -> Span:
        arguments = node.args if node.target is None else (node.target, *node.args)
        costs = [self.cost(one) for one in arguments]
        if node.function in ("_&&_", "_||_"):
            return Span(costs[0].least, costs[0].plus(costs[1]).most)
        if node.function == "_?_:_":
            self._sizes[node.id] = self.size(arguments[1]).union(self.size(arguments[2]))
            return costs[0].plus(costs[1].union(costs[2]))
        total = ZERO
        for cost in costs:
            total = total.plus(cost)
        found = self._function(node, arguments)
        if found.size is not None:
            self._sizes[node.id] = found.size
        if found.elements is not None:
            self._elements[node.id] = found.elements
        return total.plus(found.cost)

    def _function(self, node: ast.Call, arguments: Sequence[ast.Node]) -> Estimate:
        name = node.function
        if name == "lists.range" and isinstance(arguments[0], ast.Const):
            count = max(int(arguments[0].value), 0)
            return Estimate(Span(count, count), Span(count, count))
        if name in _FLAT:
            return Estimate(Span(_FLAT[name], _FLAT[name]))
        rule = _RULES.get(name)
        if rule is None or not arguments:
            return Estimate(ONE)
        kind = self.checked.type_of(arguments[0])
        if name == "@in" and self.checked.type_of(arguments[1]).name == "map":
            return Estimate(ONE)
        self._list, self._target = arguments[0], self.path(arguments[0])
        return rule([self.size(one) for one in arguments], kind, self) or Estimate(ONE)

    def element(self, kind: ast.Type) -> Span:
        """The size of the elements of the list that a function is called on."""
        if self._list is not None and self._list.id in self._elements:
            return self._elements[self._list.id]
        most = self.size_of((*self._target, "@items")) if self._target is not None else None
        if most is not None:
            return Span(0, most)
        element = kind.parameters[0].name if kind.parameters else "dyn"
        return ONE if element in _SCALARS else ANY


Rule = Callable[[list[Span], ast.Type, Estimator], Estimate | None]


def _one_pass(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    return Estimate(sizes[0].share(PASS), sizes[0])


def _parse(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    return Estimate(sizes[0].share(PASS) if kind.name in ("string", "dyn") else ONE)


def _as_it_is(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    return Estimate(ONE, sizes[0])


def _converted(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate | None:
    return Estimate(sizes[0].share(PASS), sizes[0]) if kind.name in ("string", "bytes") else None


def _decoded(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate | None:
    return Estimate(sizes[0].share(PASS), sizes[0]) if kind.name == "bytes" else None


def _rearranged(sizes: list[Span], kind: ast.Type, estimator: Estimator) -> Estimate:
    return Estimate(sizes[0], sizes[0], estimator.element(kind))


def _paired(sizes: list[Span], kind: ast.Type, estimator: Estimator) -> Estimate:
    """Every element may be compared with every other."""
    return Estimate(sizes[0].times(sizes[0]), sizes[0], estimator.element(kind))


def _flattened(sizes: list[Span], kind: ast.Type, estimator: Estimator) -> Estimate:
    inner = estimator.element(kind)
    size = sizes[0] if inner == ANY else sizes[0].times(inner)
    return Estimate(size, size)


def _argument(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    return Estimate(sizes[1].share(PASS))


def _add(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate | None:
    if kind.name == "list":
        return Estimate(ONE, sizes[0].plus(sizes[1]))
    if kind.name in ("string", "bytes", "dyn"):
        size = sizes[0].plus(sizes[1])
        cost = size.share(PASS)
        return Estimate(cost, size) if kind.name != "dyn" else Estimate(cost.union(ONE), size)
    return None


_SCALAR_TYPES = ("type", "net.", "kubernetes.", "semver")  # compared in one step, as numbers are


def _compare(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    if kind.name.startswith(_SCALAR_TYPES) and not kind.name.startswith("kubernetes.objects"):
        return Estimate(ONE)
    most = min(sizes[0].most, sizes[1].most)
    return Estimate(Span(1 if most else 0, most).share(PASS))


def _order(sizes: list[Span], kind: ast.Type, estimator: Estimator) -> Estimate | None:
    if kind.name == "dyn":
        return Estimate(_compare(sizes, kind, estimator).cost.union(ONE))
    return _compare(sizes, kind, estimator) if kind.name in ("string", "bytes") else None


def _in(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    return Estimate(sizes[1])


def _matches(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    return Estimate(sizes[0].plus(ONE).share(PASS).times(sizes[1].share(REGEX)))


def _find(sizes: list[Span], kind: ast.Type, estimator: Estimator) -> Estimate:
    return Estimate(_matches(sizes, kind, estimator).cost, Span(0, sizes[0].most))


def _contains(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    return Estimate(sizes[0].share(PASS).times(sizes[1].share(PASS)))


def _split(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    return Estimate(sizes[0].share(2 * PASS), Span(0, sizes[0].most), Span(0, sizes[0].most))


def _replace(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    text, old, new = sizes[0], sizes[1], sizes[2]
    if old.least == 0:
        most = _cap(_cap(text.most + 1) * new.most + text.most)
    elif new.most <= old.least:
        most = text.most
    else:
        most = _cap(ceil(text.most / old.least) * new.most)
    return Estimate(text.share(2 * PASS), Span(0, most))


def _join(sizes: list[Span], kind: ast.Type, estimator: Estimator) -> Estimate:
    size = sizes[0].times(estimator.element(kind))
    if len(sizes) > 1:
        size = size.plus(sizes[1].times(Span(max(sizes[0].least - 1, 0), max(sizes[0].most - 1, 0))))
    return Estimate(size.share(PASS), size)


def _each(sizes: list[Span], kind: ast.Type, estimator: Estimator) -> Estimate:
    if kind.name != "list":
        return Estimate(sizes[0].share(PASS))
    element = kind.parameters[0].name if kind.parameters else "dyn"
    each = ONE.plus(estimator.element(kind).share(PASS)) if element in ("string", "bytes") else ONE
    return Estimate(sizes[0].times(each))


def _contains_ip(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    """Two addresses of 4 to 16 bytes; a text has to be read first."""
    return Estimate(Span(1, 4).plus(ZERO if sizes[1] == ANY else sizes[1].share(PASS)))


def _contains_cidr(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    return Estimate(_contains_ip(sizes, kind, _).cost.plus(Span(2, 3)))


def _validate(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    """As a pattern of 128 characters."""
    return Estimate(sizes[1].share(PASS).times(Span(32, 32)))


def _sets(sizes: list[Span], kind: ast.Type, _: Estimator) -> Estimate:
    return Estimate(sizes[0].times(sizes[1]).plus(ONE))


_AUTHORIZER = ("serviceAccount", "path", "group", "resource", "subresource", "namespace", "name", "allowed", "reason",
               "error", "errored", "fieldSelector", "labelSelector")  # fmt: skip
_FLAT = {"check": CHECK, **dict.fromkeys(_AUTHORIZER, 1)}
_RULES: dict[str, Rule] = {
    "_+_": _add,
    "_==_": _compare, "_!=_": _compare, "_<_": _order, "_<=_": _order, "_>_": _order, "_>=_": _order,
    "@in": _in,
    "startsWith": _argument, "endsWith": _argument, "contains": _contains, "matches": _matches,
    "find": _find, "findAll": _find, "split": _split, "replace": _replace, "join": _join,
    "lowerAscii": _one_pass, "upperAscii": _one_pass, "substring": _one_pass, "trim": _one_pass,
    "isSorted": _each, "sum": _each, "min": _each, "max": _each, "indexOf": _each, "lastIndexOf": _each,
    "url": _parse, "cidr": _parse, "ip": _parse, "isIP": _parse, "isCIDR": _parse, "quantity": _parse,
    "isQuantity": _parse, "semver": _parse, "isSemver": _parse, "validate": _validate,
    "containsIP": _contains_ip, "containsCIDR": _contains_cidr,
    "dyn": _as_it_is, "optional.of": _as_it_is, "bytes": _converted, "string": _decoded, "strings.quote": _one_pass,
    "sort": _paired, "distinct": _paired, "@sortByAssociatedKeys": _paired,
    "reverse": _rearranged, "slice": _rearranged, "flatten": _flattened,
    "sets.contains": _sets, "sets.equivalent": _sets, "sets.intersects": _sets,
}  # fmt: skip


def estimate(checked: ast.Checked, size_of: SizeOf) -> int:
    """The most that an expression can cost."""
    with deeper() if checked.deep else nullcontext():
        return Estimator(checked, size_of).cost(checked.root).most
