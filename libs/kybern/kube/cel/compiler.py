"""The compiler: the CEL library reads an expression, macros included; its types are checked here.

What comes back is the checked tree. Types of variables are CEL types (`int`, `list<string>`,
`kubernetes.authorization.Authorizer`), `dyn`, or structs that the environment knows.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from kybern.kube.cel import ast, constants, pieces, spans, walk, wording
from kybern.kube.cel.checker import Checker, qualified
from kybern.kube.cel.declarations import declarations, read_type
from kybern.kube.cel.errors import CompileError
from kybern.kube.cel.shapes import Structs

Types = Mapping[str, ast.Type]  # of variables
_EXTENSIONS = ("sets", "optional", "two-var-comprehensions", "lists")
LONGEST = 100_000  # characters of an expression


@dataclass(frozen=True)
class Environment:
    """Where expressions with these variables are compiled."""

    types: Types
    structs: Structs = field(default_factory=Structs)
    extensions: tuple[str, ...] = ()  # of the language, beyond those of all expressions
    patches: bool = False  # whether they may use what only mutations know


def environment(types: Mapping[str, str]) -> Environment:
    """The environment of variables whose types are written out."""
    return Environment({name: read_type(text) for name, text in types.items()})


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
    found = parse(expression, where.extensions)
    if found.deep:
        with pieces.deeper():
            return _checked(expression, found, where)
    return _checked(expression, found, where)


def parse(expression: str, extensions: tuple[str, ...] = ()) -> ast.Parsed:
    """The tree of an expression. Raises CompileError."""
    if len(expression) > LONGEST:
        raise CompileError(f"expression code point size exceeds limit: size: {len(expression)}, limit {LONGEST}")
    try:
        return _read(expression, extensions)
    except CompileError as error:
        if not pieces.is_too_deep(error):
            raise
        with pieces.deeper():
            return _in_pieces(expression, extensions, error)


@lru_cache(maxsize=4)
def _parser(extensions: tuple[str, ...]) -> Any:
    from cel_expr_python import cel

    named = [{"name": name, "version": "latest"} for name in (*_EXTENSIONS, *extensions)]
    return cel.NewEnv(config=cel.NewEnvConfigFromYaml(json.dumps({"name": "kubernetes", "extensions": named})))


def _read(expression: str, extensions: tuple[str, ...]) -> ast.Parsed:
    try:
        found = ast.read(_parser(extensions).compile(expression, disable_check=True).serialize())
    except (RuntimeError, ValueError, UnicodeEncodeError) as error:
        message = wording.worded(str(error), lines="\n" in expression)
        raise CompileError(wording.in_order("\n".join([message, *_quoted(expression)]))) from None
    quoted = _quoted(expression)
    if quoted:
        raise CompileError("\n".join(quoted))
    for node in walk.every(found.root) if "{" in expression else ():
        if isinstance(node, ast.CreateStruct) and node.message:  # it stands where its brace does
            found.positions[node.id] = expression.find("{", found.positions.get(node.id, 0))
    return found


def _quoted(expression: str) -> list[str]:
    """Names between backquotes are for the parser, not for Kubernetes."""
    places = spans.quoted_names(expression) if "`" in expression else ()
    return [wording.placed(expression, place, "unsupported syntax: '`'") for place in places]


def _checked(expression: str, parsed: ast.Parsed, where: Environment) -> ast.Checked:
    functions = declarations(where.patches)
    root = _namespaced(parsed.root, functions)
    checker = Checker(where.types, functions, where.structs)
    found = checker.checked(root, parsed.positions, parsed.deep)
    _refuse(expression, checker.problems, found)
    _refuse(expression, [(at.id, problem) for at, problem in constants.problems(found)], found)
    return found


def _refuse(expression: str, problems: list[tuple[int, str]], found: ast.Checked) -> None:
    """Raises CompileError if there are problems: in the order of their places."""
    if not problems:
        return
    places = [(found.positions.get(at, 0), problem) for at, problem in problems]
    shown = [wording.placed(expression, place, problem) for place, problem in sorted(places, key=lambda one: one[0])]
    raise CompileError("\n".join(shown))


def _namespaced(node: ast.Node, functions: Mapping[str, Any]) -> ast.Node:
    """The tree with calls like `sets.contains(...)` as what they are: of a function with a longer name, on nothing."""
    if not any(isinstance(one, ast.Call) and _name_of(one, functions) for one in walk.every(node)):
        return node
    return _renamed(node, functions)


def _renamed(node: ast.Node, functions: Mapping[str, Any]) -> ast.Node:
    name = _name_of(node, functions) if isinstance(node, ast.Call) else ""
    if name and isinstance(node, ast.Call):
        node = ast.Call(node.id, None, name, node.args)
    return walk.rebuilt(node, lambda child: _renamed(child, functions))


def _name_of(node: ast.Call, functions: Mapping[str, Any]) -> str:
    """The whole name of a function that is called by its name alone; "" if it is the one of the node already."""
    if node.target is None:
        name = node.function.removeprefix(".")
        return name if name != node.function and name in functions else ""
    prefix = qualified(node.target).removeprefix(".")
    name = f"{prefix}.{node.function}"
    return name if prefix and name in functions else ""


def _in_pieces(expression: str, extensions: tuple[str, ...], error: CompileError) -> ast.Parsed:
    """The tree of an expression that the parser finds too deep. Raises CompileError, `error` if nothing helps."""
    span = spans.read(expression)
    if span is None:
        raise error

    def parse_(text: str) -> ast.Parsed:
        try:
            return _read(text, extensions)
        except CompileError as wrong:
            raise CompileError(wording.shown_whole(str(wrong), expression)) from None

    return pieces.parsed(expression, pieces.cut(span), parse_)
