"""What is written out in an expression is looked at when it is compiled: times, patterns, conversions, mixed lists."""

import re
from collections.abc import Callable, Iterator, Sequence
from math import isinf
from typing import Any

from kybern.kube.cel import ast
from kybern.kube.cel.errors import EvaluationError, InstantiationError
from kybern.kube.cel.library import regex, table, times
from kybern.kube.cel.library.strings import CLAUSE, WANTED, first_byte
from kybern.kube.cel.walk import children, every
from kybern.kube.cel.wording import runtime_name, shown_type

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
        if isinstance(one, ast.Call):
            _converted(one)


def _converted(node: ast.Node) -> tuple[Any, bool]:
    """(value, whether it is known now) of what is written out, conversions of it too. Raises CompileError."""
    if isinstance(node, ast.Const):
        return node.value, True
    if not isinstance(node, ast.Call) or not node.args:
        return None, False
    converts = node.function in _CONVERSIONS and node.target is None and len(node.args) == 1
    if not converts and node.function not in ("find", "findAll"):
        return None, False
    value, known = _converted(node.args[0])
    if known:
        try:
            return _convert(node.function, value), converts
        except EvaluationError as error:
            if not str(error).startswith("no such overload"):
                raise InstantiationError(str(error)) from None
    return None, False


def _convert(function: str, value: Any) -> Any:
    if function not in _CONVERSIONS:
        return regex.matches("", value)
    return table()[function].find((value,)).implementation(value)


def _mixed(checked: ast.Checked, node: ast.Node) -> Iterator[Problem]:
    """Lists and maps whose elements are of several types: Kubernetes wants them of one, but for what is formatted."""
    if isinstance(node, ast.CreateList):
        yield from _differ(checked, [(one, at in node.optional) for at, one in enumerate(node.elements)])
    elif isinstance(node, ast.CreateStruct) and not node.message:
        yield from _differ(checked, [(one.key, False) for one in node.entries])
        yield from _differ(checked, [(one.value, one.optional) for one in node.entries])
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
            problem = _misplaced(found, values.elements[used], match[2])
            if problem is not None:
                return problem
            used += 1
        at = pattern.find("%", match.end())
    if used < len(values.elements):
        given_count = len(values.elements)
        return node, f"too many arguments supplied to string.format (expected {used}, got {given_count})"
    return None


def _misplaced(found: ast.Checked, given: ast.Node, clause: str) -> Problem | None:
    """A value that is not of the kind that the clause shows, or has one in it that is written out."""
    kind = found.type_of(given).name
    if kind not in (*_FORMATTED[clause], "dyn", "any", "null_type", "type"):
        return given, f"error during formatting: {WANTED[clause]} was given {runtime_name(ast.Type(kind))}"
    inner = given.elements if isinstance(given, ast.CreateList) else ()
    return next((problem for one in inner if (problem := _misplaced(found, one, clause)) is not None), None)


def _unreadable(rest: str) -> str:
    """Why what follows a percent sign is no clause."""
    digits = re.match(r"\.(\d*)", rest)
    if not rest or (digits and len(rest) == digits.end()):
        return "unexpected end of string"
    why = f'unrecognized formatting clause "{first_byte(rest[digits.end() if digits else 0 :])}"'
    if digits and not digits[1]:
        why = 'error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing "": '
        why += "invalid syntax"
    return f"could not parse formatting clause: {why}"


def _differ(checked: ast.Checked, nodes: Sequence[tuple[ast.Node, bool]]) -> Iterator[Problem]:
    """`nodes` with whether they may be absent: then what counts is what is there."""
    wanted: ast.Type | None = None
    for node, is_optional in nodes:
        found = checked.type_of(node)
        if is_optional and found.name == "optional_type":
            found = found.parameters[0]
        if wanted is not None and found != wanted:
            yield node, f"expected type '{shown_type(wanted)}' but found '{shown_type(found)}'"
            return
        wanted = found
