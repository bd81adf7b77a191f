"""The compiler's explanations in cel-go's words: what the CEL library says differently of the same mistake."""

import re

from kybern.kube.cel import ast

_REWORDED = (
    (re.compile(r"undefined field '([^']*)' not found in struct '[^']*'"), r"undefined field '\1'"),
    (re.compile(r"cannot be the range of a comprehension"), "cannot be range of a comprehension"),
    (re.compile(r"has\(\) argument must be a field selection"), "invalid argument to has() macro"),
    (re.compile(r"expression of (type '[^']*') cannot be the operand of a select operation"),
     r"\1 does not support field selection"),
    (re.compile(r"\b(?:all|exists|exists_one|existsOne)\(\) variable name must be a simple identifier"),
     "argument must be a simple name"),
    (re.compile(r"\b(?:map|filter)\(\) variable name must be a simple identifier"), "argument is not an identifier"),
)  # fmt: skip
# Names of types in messages.
_TYPES = (
    (re.compile(r"google\.protobuf\.Timestamp"), "timestamp"),
    (re.compile(r"google\.protobuf\.Duration"), "duration"),
    (re.compile(r"\bnull_type\b"), "null"),
    (re.compile(r"'\(([^()]*(?:\([^()]*\))?), (list\([^']*\)), list\(T%\d+\)\)'"), r"'(\1, \2, \2)'"),
    (re.compile(r"\bT%\d+"), "dyn"),
)
_EXPLAINED = re.compile(r"((?:applied to|expected type|found|of type|type) ')([^\n]*)(?=\n|$)")
_PLACE = re.compile(r"(?:ERROR|WARNING): <input>:(\d+):(\d+):")
_CALLED = re.compile(
    r"(ERROR: <input>:\d+:(\d+): found no matching overload for '(\w+)' applied to )'\((.*)\)'(\n \| (.*)\n)"
)
_DOTTED = re.compile(
    r"ERROR: <input>:(\d+):(\d+): undeclared reference to '([\w.]+)\.(\w+)' \(in container ''\)\n \| (.*)\n \| \.*\^"
)


def worded(message: str) -> str:
    """The compiler's explanation in cel-go's words."""
    message = re.sub(r"^[A-Z_]+: ", "", message, count=1) if not message.startswith("ERROR: <") else message
    message = re.sub(r" \[[A-Z_]+\]$", "", message)
    blocks = re.split(r"\n(?=ERROR: <input>)", message)  # what follows from an error is none of its own
    message = "\n".join(block for at, block in enumerate(blocks) if at == 0 or "'*error*'" not in block)
    for pattern, words in _REWORDED:
        message = pattern.sub(words, message)
    message = _EXPLAINED.sub(_types_named, message)
    return in_order(_CALLED.sub(_member_call, _DOTTED.sub(_undeclared, message)))


def _types_named(match: re.Match[str]) -> str:
    text = match[0]
    for pattern, name in _TYPES:
        text = pattern.sub(name, text)
    return text


def in_order(message: str) -> str:
    """Problems by their place; warnings are for nobody."""
    blocks = re.split(r"\n(?=(?:ERROR|WARNING): <input>)", message)
    places = [_PLACE.match(block) for block in blocks]
    if not all(places):
        return message
    found = [
        ((int(place[1]), int(place[2])), block)
        for place, block in zip(places, blocks, strict=True)
        if place is not None and not block.startswith("WARNING")
    ]
    return "\n".join(block for _, block in sorted(found, key=lambda one: one[0]))


def _member_call(match: re.Match[str]) -> str:
    """A function that is called on something is shown so: `list(string).(int)`."""
    start, column, name, types, rest, shown = match.groups()
    if not shown[: int(column) - 1].rstrip().endswith(f".{name}"):
        return match[0]
    depth = 0
    for at, character in enumerate(types):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            return f"{start}'{types[:at]}.({types[at + 2 :]})'{rest}"
    return f"{start}'{types}.()'{rest}"


def _undeclared(match: re.Match[str]) -> str:
    """An unknown variable is named without what is selected from it, and at its place."""
    line, column, chain, _, shown = match.groups()
    start = int(column) - 1 - len(chain)
    if start < 0 or shown[start : int(column) - 1] != chain:
        return match[0]
    name = chain.partition(".")[0]
    problem = f"undeclared reference to '{name}' (in container '')"
    return f"ERROR: <input>:{line}:{start + 1}: {problem}\n | {shown}\n | {'.' * start}^"


def placed(expression: str, position: int, problem: str) -> str:
    """A problem with its place, as the compiler shows its own."""
    before = expression[:position]
    line, column = before.count("\n"), position - (before.rfind("\n") + 1)
    shown = expression.split("\n")[line]
    return f"ERROR: <input>:{line + 1}:{column + 1}: {problem}\n | {shown}\n | {'.' * column}^"


def plain_name(kind: ast.Type) -> str:
    text = str(kind)
    for pattern, name in _TYPES:
        text = pattern.sub(name, text)
    return text
