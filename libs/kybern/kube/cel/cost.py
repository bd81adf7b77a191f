"""The static cost of an expression: what it may cost at worst, from the declared sizes of the values it looks at.

The model is that of cel-go with Kubernetes' prices: definitions whose rules could cost too much are refused. Costs and
sizes are pairs (least, most); what has no known size is as large as can be.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import reduce

from kybern.kube.cel import ast
from kybern.kube.cel.cost_rules import ANY, FLAT, ONE, RULES, ZERO, Arguments, Estimate, Span
from kybern.kube.cel.pieces import deeper

Path = tuple[str, ...]
SizeOf = Callable[[Path], int | None]  # the most elements of what is at a path from a variable
_SCALARS = frozenset({"bool", "double", "duration", "int", "timestamp", "uint"})


@dataclass
class Estimator:
    """Walks one checked tree."""

    checked: ast.Checked
    size_of: SizeOf
    _sizes: dict[int, Span] = field(default_factory=dict)
    _ranges: dict[str, list[Path]] = field(default_factory=dict)
    _bound: dict[str, ast.Node] = field(default_factory=dict)  # what names of values stand for

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
                if node.id in self.checked.names:
                    return ONE
                inside = self.cost(node.operand)
                kind = self.checked.type_of(node.operand).name
                return inside if node.test_only or kind in ("dyn", "any", "optional_type") else inside.plus(ONE)
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
        inner, second = (
            (*path, "@keys" if kind == "map" else "@items"),
            (*path, "@values" if kind == "map" else "@items"),
        )
        if node.iter_var2 and kind != "map":
            inner = ()
        if node.iter_var == "#unused":  # a name for a value
            self._bound[node.accu_var] = node.accu_init
        for name, where in ((node.iter_var, inner), (node.iter_var2, second), (node.accu_var, ())):
            self._ranges.setdefault(name, []).append(where)
        each = self.cost(node.loop_condition).plus(self.cost(node.loop_step))
        total = total.plus(self.cost(node.result))
        for name in (node.iter_var, node.iter_var2, node.accu_var):
            self._ranges[name].pop()
        count = self.size(node.iter_range)
        if self._bound.pop(node.accu_var, None) is not None:
            self._sizes[node.id] = self.size(node.result)
        elif self.checked.type_of(node).name in ("list", "map"):
            self._sizes[node.id] = Span(0, count.most)
        return total.plus(count.times(each))

    def path(self, node: ast.Node) -> Path:
        """The way to a part: from a variable, or from a value that is no part of one, whose way is empty."""
        match node:
            case ast.Ident():
                known = self._ranges.get(node.name)
                return known[-1] if known else (node.name,)
            case ast.Select() if node.id in self.checked.names:
                return (self.checked.names[node.id],)
            case ast.Select(test_only=False):
                return (*self.path(node.operand), node.field)
            case ast.Call(function="_[_]"):
                kind = self.checked.type_of(node.args[0]).name
                return (*self.path(node.args[0]), "@values" if kind == "map" else "@items")
            case ast.Call(function="_?._" | "_[?_]"):
                inner, name = self.path(node.args[0]), node.args[1]
                if not inner or not isinstance(name, ast.Const):
                    return ()
                return (*inner, name.value if isinstance(name.value, str) else "@items")
        return ()

    def size(self, node: ast.Node) -> Span:
        """How large its value may be."""
        known = self._sizes.get(node.id)
        if known is not None:
            return known
        if isinstance(node, ast.Ident) and node.name in self._bound:
            return self.size(self._bound[node.name])
        if isinstance(node, ast.Call) and node.function == "_[_]":
            written = _entries(node.args[0])
            if written:
                return reduce(Span.union, map(self.size, written))
        path = self.path(node)
        most = self.size_of(path) if path else None
        if most is not None:
            return Span(0, most)
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
        return total.plus(found.cost)

    def _function(self, node: ast.Call, arguments: Sequence[ast.Node]) -> Estimate:
        if node.function in FLAT:
            return Estimate(Span(FLAT[node.function], FLAT[node.function]))
        rule = RULES.get(node.function)
        if rule is None or not arguments:
            return Estimate(ONE)
        kinds = [self.checked.type_of(one) for one in arguments]
        given = Arguments(
            [self.size(one) for one in arguments],
            kinds[0],
            kinds[1] if len(kinds) > 1 else kinds[0],
            self.checked.type_of(node),
            self._element(arguments[0], kinds[0]),
            [one.value if isinstance(one, ast.Const) else None for one in arguments],
        )
        return rule(given) or Estimate(ONE)

    def _element(self, node: ast.Node, kind: ast.Type) -> Span:
        """The size of what is in a list."""
        if isinstance(node, ast.Call) and node.function == "_[_]":
            written = _entries(node.args[0])
            if written:
                return reduce(Span.union, map(self.size, written))
        path = self.path(node)
        most = self.size_of((*path, "@items")) if path else None
        if most is not None:
            return Span(0, most)
        element = kind.parameters[0].name if kind.parameters else "dyn"
        return ONE if element in _SCALARS else ANY


def _entries(node: ast.Node) -> Sequence[ast.Node]:
    """What a list or map holds that is written out."""
    if isinstance(node, ast.CreateStruct) and not node.message:
        return [entry.value for entry in node.entries]
    return node.elements if isinstance(node, ast.CreateList) else ()


def estimate(checked: ast.Checked, size_of: SizeOf) -> int:
    """The most that an expression can cost."""
    with deeper() if checked.deep else nullcontext():
        return Estimator(checked, size_of).cost(checked.root).most
