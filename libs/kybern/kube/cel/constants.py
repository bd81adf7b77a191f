"""What is written out in an expression is looked at when it is compiled: times, patterns, conversions, mixed lists."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kybern.kube.cel import ast
from kybern.kube.cel.errors import EvaluationError, InstantiationError
from kybern.kube.cel.library import regex, table, times
from kybern.kube.cel.walk import children, every
from kybern.kube.cel.wording import plain_name

Problem = tuple[ast.Node, str]
_CONVERSIONS = ("bool", "double", "int", "uint")
_LITERALS: dict[str, Callable[[str], object]] = {
    "timestamp": times.timestamp, "duration": times.duration, "matches": lambda pattern: regex.matches("", pattern)
}  # fmt: skip
_WRITTEN: dict[str, tuple[type, ...]] = {"duration": (str, int)}


def problems(found: ast.Checked) -> Iterator[Problem]:
    """Where an expression is wrong, and how."""
    yield from _mixed(found, found.root)
    yield from _wrong_literals(found.root)


def check_conversions(node: ast.Node) -> None:
    """What is written out is converted when the program is made, and may be none. Raises CompileError."""
    for one in every(node):
        if not isinstance(one, ast.Call) or not one.args:
            continue
        converts = one.function in _CONVERSIONS and one.target is None and len(one.args) == 1
        if not converts and one.function not in ("find", "findAll"):
            continue
        argument = one.args[0]
        if isinstance(argument, ast.Const):
            try:
                _convert(one.function, argument.value)
            except EvaluationError as error:
                if not str(error).startswith("no such overload"):
                    raise InstantiationError(str(error)) from None


def _convert(function: str, value: Any) -> None:
    if function not in _CONVERSIONS:
        regex.matches("", value)
        return
    table()[function].find((value,)).implementation(value)


def _mixed(checked: ast.Checked, node: ast.Node) -> Iterator[Problem]:
    """Lists and maps whose elements are of several types: Kubernetes wants them of one, but for what is formatted."""
    if isinstance(node, ast.CreateList):
        yield from _differ(checked, node.elements)
    elif isinstance(node, ast.CreateStruct) and not node.message:
        yield from _differ(checked, [one.key for one in node.entries])
        yield from _differ(checked, [one.value for one in node.entries])
    for child in children(node):
        if isinstance(node, ast.Call) and node.function == "format" and isinstance(child, ast.CreateList):
            for element in child.elements:
                yield from _mixed(checked, element)
        else:
            yield from _mixed(checked, child)


def _wrong_literals(node: ast.Node) -> Iterator[Problem]:
    """Times, durations and patterns that are written out are read when the expression is compiled."""
    if isinstance(node, ast.Call) and node.function in _LITERALS and node.args:
        argument = node.args[-1]
        if isinstance(argument, ast.Const) and isinstance(argument.value, _WRITTEN.get(node.function, str)):
            try:
                if not isinstance(argument.value, str):
                    raise EvaluationError("no such overload")
                _LITERALS[node.function](argument.value)
            except EvaluationError:
                yield argument, f"invalid {node.function} argument"
    for child in children(node):
        yield from _wrong_literals(child)


def _differ(checked: ast.Checked, nodes: Sequence[ast.Node]) -> Iterator[Problem]:
    wanted: ast.Type | None = None
    for node in nodes:
        found = checked.type_of(node)
        if found.name in ("dyn", "any", "optional_type", "wrapper"):
            continue
        if wanted is not None and found.name != wanted.name:
            yield node, f"expected type '{plain_name(wanted)}' but found '{plain_name(found)}'"
        wanted = wanted or found
