"""The compiler: the CEL library reads and type-checks an expression; what comes back is its checked tree.

It knows the standard language, the libraries that the CEL project ships, and by declaration what Kubernetes adds. Types
of variables are CEL types (`int`, `list<string>`, `kubernetes.authorization.Authorizer`), `dyn`, or messages of a pool.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kybern.kube.cel import ast, pieces, spans
from kybern.kube.cel.errors import CompileError, EvaluationError, InstantiationError
from kybern.kube.cel.library import regex, table, times
from kybern.kube.cel.overloads import Overload, split_types

Types = Mapping[str, str]  # of variables
_EXTENSIONS = ("sets", "math", "optional", "encoders", "bindings", "two-var-comprehensions", "lists")
_NUMBERS = ("int", "uint", "double")
_COMPARED = ("bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint")
_ORDER = ("_<_", "_<=_", "_>_", "_>=_")
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
_LOGIC = re.compile(
    r"ERROR: <input>:(\d+):(\d+): found no matching overload for '(_&&_|_\|\|_)' applied to '\((.*)\)'"
    r"\n \| .*\n \| \.*\^"
)
_CALLED = re.compile(
    r"(ERROR: <input>:\d+:(\d+): found no matching overload for '(\w+)' applied to )'\((.*)\)'(\n \| (.*)\n)"
)
_CONVERSIONS = ("bool", "double", "int", "uint")
_LITERALS: dict[str, Callable[[str], object]] = {
    "timestamp": times.timestamp, "duration": times.duration, "matches": lambda pattern: regex.matches("", pattern)
}  # fmt: skip
_DOTTED = re.compile(
    r"ERROR: <input>:(\d+):(\d+): undeclared reference to '([\w.]+)\.(\w+)' \(in container ''\)\n \| (.*)\n \| \.*\^"
)
_WRITTEN: dict[str, tuple[type, ...]] = {"duration": (str, int)}
_OPTIONAL = "optional_type<"  # such variables are declared with the configuration
LONGEST = 100_000  # characters of an expression


@lru_cache(maxsize=1)
def _config() -> Any:
    """The environment without variables."""
    return _configured([])


def _configured(variables: list[dict[str, Any]]) -> Any:
    from cel_expr_python import cel

    return cel.NewEnvConfigFromYaml(json.dumps({**_document(), "variables": variables}))


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    functions: dict[str, list[Any]] = {}
    for function in table().values():
        for overload in function.overloads:
            if overload.declared:
                functions.setdefault(overload.function, []).append(_declaration(overload))
    for operator in _ORDER:
        functions[operator] = [
            {"id": f"{operator}{one}_{other}", "args": [_declared(one), _declared(other)], "return": _declared("bool")}
            for one in _COMPARED
            for other in (_NUMBERS if one in _NUMBERS else (one,))
        ]
    return {
        "name": "kubernetes",
        "stdlib": {"exclude_functions": [{"name": name} for name in (*_ORDER, "string")]},
        "extensions": [{"name": name, "version": "latest"} for name in _EXTENSIONS],
        "functions": [{"name": name, "overloads": overloads} for name, overloads in functions.items()],
    }


def _declaration(overload: Overload) -> dict[str, Any]:
    types = [_declared(one) for one in overload.parameters]
    target = {"target": types[0]} if overload.member else {}
    arguments = types[1:] if overload.member else types
    return {"id": overload.id, **target, "args": arguments, "return": _declared(overload.result)}


def _declared(text: str) -> dict[str, Any]:
    name, bracket, rest = text.partition("<")
    if len(name) == 1:
        return {"type_name": name, "is_type_param": True}
    if not bracket:
        return {"type_name": name}
    return {"type_name": name, "params": [_declared(one) for one in split_types(rest[:-1])]}


@dataclass(frozen=True)
class Environment:
    """Where expressions with these variables are compiled."""

    types: Types
    pool: Any
    made: Any

    def compile(self, expression: str, disable_check: bool = False) -> Any:
        """What the library makes of an expression. Raises RuntimeError, ValueError."""
        return self.made.compile(expression, disable_check=disable_check)


def environment(types: Types, pool: Any = None) -> Environment:
    """The environment of these variables; `pool` has the messages that types name. Raises CompileError."""
    return Environment(types, pool, _environment(types, pool))


def _environment(types: Types, pool: Any) -> Any:
    from cel_expr_python import cel

    variables = {name: cel.Type(text) for name, text in types.items() if not text.startswith(_OPTIONAL)}
    optional = [{"name": name, **_declared(text)} for name, text in types.items() if name not in variables]
    try:
        config = _configured(optional) if optional else _config()
        if pool is None:
            return cel.NewEnv(config=config, variables=variables)
        return cel.NewEnv(descriptor_pool=pool, config=config, variables=variables)
    except (RuntimeError, ValueError) as error:
        raise CompileError(str(error)) from None


@lru_cache(maxsize=64)
def untyped(variables: tuple[str, ...]) -> Environment:
    """The environment of variables of any type."""
    return environment({name: _KNOWN.get(name, "dyn") for name in variables})


_KNOWN = {
    "authorizer": "kubernetes.authorization.Authorizer",
    "authorizer.requestResource": "kubernetes.authorization.ResourceCheck",
}


def check(expression: str, where: Environment) -> ast.Checked:
    """The tree of an expression in an environment. Raises CompileError."""
    if len(expression) > LONGEST:
        raise CompileError(f"expression code point size exceeds limit: size: {len(expression)}, limit {LONGEST}")
    try:
        found = _read(expression, where)
    except CompileError as error:
        if not pieces.is_too_deep(error):
            raise
        with pieces.deeper():
            return _checked(expression, _in_pieces(expression, where, error))
    return _checked(expression, found)


def _read(expression: str, where: Environment) -> ast.Checked:
    try:
        return ast.read(where.compile(expression).serialize())
    except (RuntimeError, ValueError, UnicodeEncodeError) as error:
        message = worded(str(error))
        if _LOGIC.search(message):
            message = _in_order(_LOGIC.sub(lambda match: _not_bool(expression, where, match), message))
        raise CompileError(message) from None


def _not_bool(expression: str, where: Environment, match: re.Match[str]) -> str:
    """An operand that is no condition is what is wrong, not the operator between."""
    try:
        tree, positions = ast.read_placed(where.compile(expression, disable_check=True).serialize())
    except (RuntimeError, ValueError):
        return match[0]
    line, column = int(match[1]), int(match[2])
    at = sum(len(one) + 1 for one in expression.split("\n")[: line - 1]) + column - 1
    for node in _all(tree):
        if isinstance(node, ast.Call) and node.function == match[3] and positions.get(node.id) == at:
            kinds = split_types(match[4].replace("(", "<").replace(")", ">"))
            wrong = [
                _placed(
                    expression, positions.get(child.id, 0), f"expected type 'bool' but found '{_parenthesized(kind)}'"
                )
                for child, kind in zip(node.args, kinds, strict=False)
                if kind not in ("bool", "dyn", "any")
            ]
            return "\n".join(wrong) or match[0]
    return match[0]


def _parenthesized(kind: str) -> str:
    return kind.replace("<", "(").replace(">", ")")


def _all(node: ast.Node) -> Iterator[ast.Node]:
    yield node
    for child in children(node):
        yield from _all(child)


def _checked(expression: str, found: ast.Checked) -> ast.Checked:
    problems = [
        (found.positions.get(at.id, 0), problem)
        for at, problem in (*_mixed(found, found.root), *_wrong_literals(found.root))
    ]
    if problems:
        shown = [_placed(expression, place, problem) for place, problem in sorted(problems, key=lambda one: one[0])]
        raise CompileError("\n".join(shown))
    _check_conversions(found.root)
    return found


def _check_conversions(node: ast.Node) -> None:
    """What is written out is converted when the program is made, and may be none. Raises CompileError."""
    for one in _all(node):
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


def _in_pieces(expression: str, where: Environment, error: CompileError) -> ast.Checked:
    """The tree of an expression that the compiler finds too deep. Raises CompileError, `error` if nothing helps."""
    span = spans.read(expression)
    if span is None:
        raise error

    def compile_(text: str, types: dict[str, str]) -> ast.Checked:
        try:
            return _read(text, _with(where, types))
        except CompileError as wrong:
            raise CompileError(_shown_whole(str(wrong), expression)) from None

    return pieces.compiled(expression, pieces.cut(span), compile_)


def _with(where: Environment, types: dict[str, str]) -> Environment:
    """The environment with further variables, of any type where theirs cannot be declared."""
    if not types:
        return where
    try:
        return environment({**where.types, **types}, where.pool)
    except CompileError:
        return environment({**where.types, **dict.fromkeys(types, "dyn")}, where.pool)


def _shown_whole(message: str, expression: str) -> str:
    """The message, the lines of the whole expression in it."""
    lines = expression.split("\n")

    def line(match: re.Match[str]) -> str:
        number = int(match[2])
        return f"{match[1]}{lines[number - 1]}" if 0 < number <= len(lines) else match[0]

    return re.sub(r"(ERROR: <input>:(\d+):\d+: [^\n]*\n \| )[^\n]*", line, message)


def worded(message: str) -> str:
    """The compiler's explanation in cel-go's words."""
    message = re.sub(r"^[A-Z_]+: ", "", message, count=1) if not message.startswith("ERROR: <") else message
    message = re.sub(r" \[[A-Z_]+\]$", "", message)
    blocks = re.split(r"\n(?=ERROR: <input>)", message)  # what follows from an error is none of its own
    message = "\n".join(block for at, block in enumerate(blocks) if at == 0 or "'*error*'" not in block)
    for pattern, words in _REWORDED:
        message = pattern.sub(words, message)
    message = _EXPLAINED.sub(_types_named, message)
    return _in_order(_CALLED.sub(_member_call, _DOTTED.sub(_undeclared, message)))


def _types_named(match: re.Match[str]) -> str:
    text = match[0]
    for pattern, name in _TYPES:
        text = pattern.sub(name, text)
    return text


def _in_order(message: str) -> str:
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


def _placed(expression: str, position: int, problem: str) -> str:
    """A problem with its place, as the compiler shows its own."""
    before = expression[:position]
    line, column = before.count("\n"), position - (before.rfind("\n") + 1)
    shown = expression.split("\n")[line]
    return f"ERROR: <input>:{line + 1}:{column + 1}: {problem}\n | {shown}\n | {'.' * column}^"


def _mixed(checked: ast.Checked, node: ast.Node) -> Iterator[tuple[ast.Node, str]]:
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


def _wrong_literals(node: ast.Node) -> Iterator[tuple[ast.Node, str]]:
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


def _differ(checked: ast.Checked, nodes: Sequence[ast.Node]) -> Iterator[tuple[ast.Node, str]]:
    wanted: ast.Type | None = None
    for node in nodes:
        found = checked.type_of(node)
        if found.name in ("dyn", "any", "optional_type", "wrapper"):
            continue
        if wanted is not None and found.name != wanted.name:
            yield node, f"expected type '{_plain_name(wanted)}' but found '{_plain_name(found)}'"
        wanted = wanted or found


def _plain_name(kind: ast.Type) -> str:
    text = str(kind)
    for pattern, name in _TYPES:
        text = pattern.sub(name, text)
    return text


def children(node: ast.Node) -> Iterator[ast.Node]:
    """The nodes directly below."""
    match node:
        case ast.Select():
            yield node.operand
        case ast.Call():
            if node.target is not None:
                yield node.target
            yield from node.args
        case ast.CreateList():
            yield from node.elements
        case ast.CreateStruct():
            for entry in node.entries:
                if isinstance(entry.key, ast.Node):
                    yield entry.key
                yield entry.value
        case ast.Comprehension():
            yield node.iter_range
            yield node.accu_init
            yield node.loop_condition
            yield node.loop_step
            yield node.result


def names(node: ast.Node) -> set[str]:
    """Every identifier in a tree."""
    found = {node.name} if isinstance(node, ast.Ident) else set()
    for child in children(node):
        found |= names(child)
    return found
