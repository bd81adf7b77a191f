"""The evaluator: a checked tree becomes Python functions that call each other.

Each takes a frame, a list of the values of variables, whose first place is what may still be spent. Everything costs
about what it costs upstream; what runs away is stopped after so many steps, at the latest when a loop comes round.
Errors are exceptions; `&&`, `||`, `all` and `exists` forget one if the other side decides.
"""

from collections.abc import Sequence
from typing import Any

from kybern.kube.cel import ast, operators
from kybern.kube.cel.errors import CompileError, EvaluationError, InstantiationError, no_overload
from kybern.kube.cel.forms import FORMS
from kybern.kube.cel.frame import Frame, Step, binary, invoke
from kybern.kube.cel.library import table
from kybern.kube.cel.loops import decides, is_true, loop, quantifier
from kybern.kube.cel.values import Optional, TypeValue, UInt

LIST_PRICE, MAP_PRICE, STRUCT_PRICE = 10, 30, 40
_TYPES = {
    "bool": "bool", "int": "int", "uint": "uint", "double": "double", "string": "string", "bytes": "bytes",
    "list": "list", "map": "map", "null_type": "null_type", "type": "type",
    "google.protobuf.Timestamp": "google.protobuf.Timestamp", "google.protobuf.Duration": "google.protobuf.Duration",
    "optional_type": "optional_type", "net.IP": "net.IP", "net.CIDR": "net.CIDR",
}  # fmt: skip


class Builder:
    """Builds the functions of one tree. `slots` says where in the frame a variable is."""

    def __init__(self, checked: ast.Checked, variables: Sequence[str]) -> None:
        self._checked = checked
        self.slots = {name: at + 1 for at, name in enumerate(variables)}
        self.size = len(variables) + 1
        self._building = ""  # the list that the comprehension around here builds

    def build(self, node: ast.Node) -> Step:
        """The function of a node. Raises CompileError."""
        name = self._checked.names.get(node.id)
        if name and isinstance(node, ast.Select):
            return self._variable(name, self._checked.type_of(node))
        match node:
            case ast.Const():
                value = node.value
                return lambda frame: value
            case ast.Ident():
                return self._variable(node.name, self._checked.type_of(node))
            case ast.Select():
                return self._select(node)
            case ast.Call():
                return self._call(node)
            case ast.CreateList():
                return self._list(node)
            case ast.CreateStruct():
                return self._struct(node)
            case ast.Comprehension():
                return self._comprehension(node)
        raise CompileError(f"unsupported expression {type(node).__name__}")

    def _variable(self, name: str, of: ast.Type = ast.DYN) -> Step:
        slot = self.slots.get(name.lstrip("."))
        if slot is None:
            if name in _TYPES:
                value = TypeValue(_TYPES[name])
                return lambda frame: value
            if name in ("timestamp", "duration"):  # the checker knows them
                raise InstantiationError(f"reference to undefined type: {name}")
            if of.name == "type":
                type_value = TypeValue(name)
                return lambda frame: type_value
            raise CompileError(f"undeclared reference to '{name}' (in container '')")

        def run(frame: Frame) -> Any:
            frame[0] -= 1
            return frame[slot]

        return run

    def _select(self, node: ast.Select) -> Step:
        operand, field = self.build(node.operand), node.field
        if node.test_only:
            return lambda frame: operators.has(operand(frame), field)

        def run(frame: Frame) -> Any:
            value = operand(frame)
            frame[0] -= 1
            if type(value) is dict and field in value:
                return value[field]
            return operators.select(value, field)

        return run

    def _call(self, node: ast.Call) -> Step:
        nodes = node.args if node.target is None else (node.target, *node.args)
        special = FORMS.get(node.function)
        if special is not None:
            return special(self, nodes)
        if node.function == "_+_" and self._grows(nodes):
            return self._append(nodes)
        steps = [self.build(one) for one in nodes]
        if node.function in operators.ARITHMETIC:
            return binary(
                operators.arithmetic(node.function), steps, operators.sum_price if node.function == "_+_" else None
            )
        if node.function in operators.ORDER:
            return binary(operators.ORDER[node.function], steps, operators.comparison_price)
        function = table().get(node.function)
        if function is None:
            raise CompileError(f"undeclared reference to '{node.function}' (in container '')")
        return invoke(function, steps)

    def _grows(self, nodes: Sequence[ast.Node]) -> bool:
        """Whether it adds to the list that a comprehension is building: nobody else has that list."""
        left, right = nodes
        return isinstance(left, ast.Ident) and left.name == self._building and isinstance(right, ast.CreateList)

    def _append(self, nodes: Sequence[ast.Node]) -> Step:
        left, right = map(self.build, nodes)

        def run(frame: Frame) -> Any:
            found = left(frame)
            found.extend(right(frame))
            return found

        return run

    def _list(self, node: ast.CreateList) -> Step:
        steps = [self.build(one) for one in node.elements]
        optional = node.optional

        def run(frame: Frame) -> Any:
            frame[0] -= LIST_PRICE
            if not optional:
                return [step(frame) for step in steps]
            found = []
            for at, step in enumerate(steps):
                value = step(frame)
                if at not in optional:
                    found.append(value)
                elif _opened(value).present:
                    found.append(value.value)
            return found

        return run

    def _struct(self, node: ast.CreateStruct) -> Step:
        entries = [
            (
                self.build(entry.key) if isinstance(entry.key, ast.Node) else _constant(entry.key),
                self.build(entry.value),
                entry.optional,
            )
            for entry in node.entries
        ]
        message = node.message
        price = STRUCT_PRICE if message else MAP_PRICE

        def run(frame: Frame) -> Any:
            frame[0] -= price
            found: dict[Any, Any] = {}
            for key_step, value_step, optional in entries:
                key, value = key_step(frame), value_step(frame)
                if optional:
                    if not _opened(value).present:
                        continue
                    value = value.value
                if type(key) not in (str, int, bool, UInt):
                    raise EvaluationError(f"unsupported key type: {key}")
                found[key] = value
            return Message(message, found) if message else found

        return run

    def _comprehension(self, node: ast.Comprehension) -> Step:
        ranged = self.build(node.iter_range)
        initial = self.build(node.accu_init)
        before = dict(self.slots)
        accu = self._declare(node.accu_var)
        first = self._declare(node.iter_var) if node.iter_var else 0
        second = self._declare(node.iter_var2) if node.iter_var2 else 0
        decided = decides(node)
        if decided is not None:
            stop, predicate = decided
            test = self._step(predicate, "")
            self.slots = before
            return quantifier(ranged, test, stop, first, second)
        condition = None if is_true(node.loop_condition) else self.build(node.loop_condition)
        grows = node.accu_var.startswith(("@", "__")) and isinstance(node.accu_init, ast.CreateList)
        step = self._step(node.loop_step, node.accu_var if grows else "")
        result = self.build(node.result)
        self.slots = before
        return loop(ranged, initial, condition, step, result, (accu, first, second))

    def _step(self, node: ast.Node, building: str) -> Step:
        """The step of a loop that builds a list under a name of the macro's own."""
        outside, self._building = self._building, building
        step = self.build(node)
        self._building = outside
        return step

    def _declare(self, name: str) -> int:
        self.slots[name] = self.size
        self.size += 1
        return self.size - 1


class Message(dict[str, Any]):
    """A message that the expression made: a map with the name of its type."""

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.name = name


def _opened(value: Any) -> Optional:
    if not isinstance(value, Optional):
        raise no_overload("optional entry", value)
    return value


def _constant(value: Any) -> Step:
    return lambda frame: value
