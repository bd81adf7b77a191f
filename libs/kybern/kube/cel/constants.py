"""What is written out in an expression is looked at when it is compiled: times, patterns, conversions, mixed lists."""

import re
from collections.abc import Callable, Iterator, Sequence
from math import isinf
from typing import Any

from kybern.kube.cel import ast
from kybern.kube.cel.errors import EvaluationError, InstantiationError
from kybern.kube.cel.library import regex, table, times
from kybern.kube.cel.library.strings import CLAUSE, WANTED
from kybern.kube.cel.walk import children, every
from kybern.kube.cel.wording import shown_type

Problem = tuple[ast.Node, str]
_CONVERSIONS = ("bool", "double", "int", "string", "uint")
_LITERALS: dict[str, Callable[[Any], object]] = {
    "timestamp": lambda given: times.timestamp(given) if isinstance(given, str) else _moment(given),
    "duration": lambda given: times.duration(given) if isinstance(given, str) else _no_duration(),
    "matches": lambda pattern: regex.matches("", pattern)
}  # fmt: skip
_FORMATTED = {
    "s": ("string", "bool", "bytes", "int", "uint", "double", "list", "map", "duration", "timestamp"),
    "d": ("int", "uint"), "f": ("double", "string"), "e": ("double", "string"), "b": ("int", "uint", "bool"),
    "o": ("int", "uint"), "x": ("int", "uint", "string", "bytes"), "X": ("int", "uint", "string", "bytes"),
}  # fmt: skip
_WRITTEN: dict[str, tuple[type, ...]] = {"duration": (str, int), "timestamp": (str, int)}


def _moment(seconds: int) -> object:
    return times.in_range(seconds * 10**9)


def _no_duration() -> object:
    raise EvaluationError("no such overload")


def problems(found: ast.Checked) -> Iterator[Problem]:
    """Where an expression is wrong, and how."""
    yield from _mixed(found, found.root)
    yield from _wrong_literals(found.root)
    yield from _wrong_formats(found, found.root)


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
        if not (isinstance(node, ast.Call) and node.function == "format" and isinstance(child, ast.CreateList)):
            yield from _mixed(checked, child)


def _wrong_literals(node: ast.Node) -> Iterator[Problem]:
    """Times, durations and patterns that are written out are read when the expression is compiled."""
    if isinstance(node, ast.Const) and isinstance(node.value, float) and isinf(node.value):
        yield node, "invalid double literal"
    if isinstance(node, ast.Call) and node.function in _LITERALS and node.args:
        argument = node.args[-1]
        if isinstance(argument, ast.Const) and isinstance(argument.value, _WRITTEN.get(node.function, str)):
            try:
                _LITERALS[node.function](argument.value)
            except EvaluationError:
                yield argument, f"invalid {node.function} argument"
    for child in children(node):
        yield from _wrong_literals(child)


def _wrong_formats(found: ast.Checked, node: ast.Node) -> Iterator[Problem]:
    """What is formatted, where both the format and the list of values are written out: the first thing wrong."""
    if isinstance(node, ast.Call) and node.function == "format" and isinstance(node.target, ast.Const):
        pattern, values = node.target.value, node.args[0]
        if isinstance(pattern, str) and isinstance(values, ast.CreateList):
            problem = _format_problem(found, node, pattern, values)
            if problem is not None:
                yield problem
    for child in children(node):
        yield from _wrong_formats(found, child)


def _format_problem(found: ast.Checked, node: ast.Node, pattern: str, values: ast.CreateList) -> Problem | None:
    at, used = pattern.find("%"), 0
    while at >= 0:
        match = CLAUSE.match(pattern, at)
        if match is None or match[1] == "" or (match[2] or "s") not in _FORMATTED:
            return node, _unreadable(pattern[at + 1 :])
        if match[0] != "%%":
            if used >= len(values.elements):
                return node, f"index {used} out of range"
            given = values.elements[used]
            kind = found.type_of(given).name
            if kind not in (*_FORMATTED[match[2]], "dyn", "any", "wrapper", "null_type", "type"):
                return (
                    given,
                    f"error during formatting: {WANTED[match[2]]} was given {shown_type(found.type_of(given))}",
                )
            used += 1
        at = pattern.find("%", match.end())
    if used < len(values.elements):
        given_count = len(values.elements)
        return node, f"too many arguments supplied to string.format (expected {used}, got {given_count})"
    return None


def _unreadable(rest: str) -> str:
    """Why what follows a percent sign is no clause."""
    digits = re.match(r"\.(\d*)", rest)
    if not rest or (digits and len(rest) == digits.end()):
        return "unexpected end of string"
    why = f'unrecognized formatting clause "{rest[digits.end() if digits else 0]}"'
    if digits and not digits[1]:
        why = 'error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing "": '
        why += "invalid syntax"
    return f"could not parse formatting clause: {why}"


def _differ(checked: ast.Checked, nodes: Sequence[ast.Node]) -> Iterator[Problem]:
    wanted: ast.Type | None = None
    for node in nodes:
        found = checked.type_of(node)
        if found.name in ("dyn", "any", "optional_type", "wrapper"):
            continue
        if wanted is not None and found.name != wanted.name:
            yield node, f"expected type '{shown_type(wanted)}' but found '{shown_type(found)}'"
        wanted = wanted or found
