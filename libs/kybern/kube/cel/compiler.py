"""The compiler: the CEL library reads and type-checks an expression; what comes back is its checked tree.

It knows the standard language, the libraries that the CEL project ships, and by declaration what Kubernetes adds. Types
of variables are CEL types (`int`, `list<string>`, `kubernetes.authorization.Authorizer`), `dyn`, or messages of a pool.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kybern.kube.cel import ast, constants, pieces, spans, walk, wording
from kybern.kube.cel.errors import CompileError
from kybern.kube.cel.library import table
from kybern.kube.cel.overloads import Overload, split_types

Types = Mapping[str, str]  # of variables
_EXTENSIONS = ("sets", "optional", "two-var-comprehensions", "lists")
_NUMBERS = ("int", "uint", "double")
_COMPARED = ("bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint")
_ORDER = ("_<_", "_<=_", "_>_", "_>=_")
_LOGIC = re.compile(
    r"ERROR: <input>:(\d+):(\d+): found no matching overload for '(_&&_|_\|\|_)' applied to '\((.*)\)'"
    r"\n \| .*\n \| \.*\^"
)
_OPTIONAL = "optional_type<"  # such variables are declared with the configuration
LONGEST = 100_000  # characters of an expression


@lru_cache(maxsize=1)
def _config() -> Any:
    """The environment without variables."""
    return _configured([])


def _configured(variables: list[dict[str, Any]], extensions: tuple[str, ...] = ()) -> Any:
    from cel_expr_python import cel

    document = {**_document(), "variables": variables}
    document["extensions"] = [*document["extensions"], *({"name": name, "version": "latest"} for name in extensions)]
    return cel.NewEnvConfigFromYaml(json.dumps(document))


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
    extensions: tuple[str, ...] = ()  # of the language, beyond those of all expressions

    def compile(self, expression: str, disable_check: bool = False) -> Any:
        """What the library makes of an expression. Raises RuntimeError, ValueError."""
        return self.made.compile(expression, disable_check=disable_check)


def environment(types: Types, pool: Any = None, extensions: tuple[str, ...] = ()) -> Environment:
    """The environment of these variables; `pool` has the messages that types name. Raises CompileError."""
    return Environment(types, pool, _environment(types, pool, extensions), extensions)


def _environment(types: Types, pool: Any, extensions: tuple[str, ...]) -> Any:
    from cel_expr_python import cel

    variables = {name: cel.Type(text) for name, text in types.items() if not text.startswith(_OPTIONAL)}
    optional = [{"name": name, **_declared(text)} for name, text in types.items() if name not in variables]
    try:
        config = _configured(optional, extensions) if optional or extensions else _config()
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
        message = wording.worded(str(error))
        if _LOGIC.search(message):
            message = wording.in_order(_LOGIC.sub(lambda match: _not_bool(expression, where, match), message))
        raise CompileError(message) from None


def _not_bool(expression: str, where: Environment, match: re.Match[str]) -> str:
    """An operand that is no condition is what is wrong, not the operator between."""
    try:
        tree, positions = ast.read_placed(where.compile(expression, disable_check=True).serialize())
    except (RuntimeError, ValueError):
        return match[0]
    line, column = int(match[1]), int(match[2])
    at = sum(len(one) + 1 for one in expression.split("\n")[: line - 1]) + column - 1
    for node in walk.every(tree):
        if isinstance(node, ast.Call) and node.function == match[3] and positions.get(node.id) == at:
            kinds = split_types(match[4].replace("(", "<").replace(")", ">"))
            wrong = [
                wording.placed(
                    expression, positions.get(child.id, 0), f"expected type 'bool' but found '{_parenthesized(kind)}'"
                )
                for child, kind in zip(node.args, kinds, strict=False)
                if kind not in ("bool", "dyn", "any")
            ]
            return "\n".join(wrong) or match[0]
    return match[0]


def _parenthesized(kind: str) -> str:
    return kind.replace("<", "(").replace(">", ")")


def _checked(expression: str, found: ast.Checked) -> ast.Checked:
    problems = [(found.positions.get(at.id, 0), problem) for at, problem in constants.problems(found)]
    if problems:
        shown = [
            wording.placed(expression, place, problem) for place, problem in sorted(problems, key=lambda one: one[0])
        ]
        raise CompileError("\n".join(shown))
    return found


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
        return environment({**where.types, **types}, where.pool, where.extensions)
    except CompileError:
        return environment({**where.types, **dict.fromkeys(types, "dyn")}, where.pool, where.extensions)


def _shown_whole(message: str, expression: str) -> str:
    """The message, the lines of the whole expression in it."""
    lines = expression.split("\n")

    def line(match: re.Match[str]) -> str:
        number = int(match[2])
        return f"{match[1]}{lines[number - 1]}" if 0 < number <= len(lines) else match[0]

    return re.sub(r"(ERROR: <input>:(\d+):\d+: [^\n]*\n \| )[^\n]*", line, message)
