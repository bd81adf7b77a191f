"""Expressions that nest deeper than the compiler goes: compiled in pieces, and put together again.

What lies deep is cut out and compiled alone, in its place: the text around it is blank, so that positions stay what
they are. Where it was cut out, a variable of its type stands in for it. Variables of macros around a piece are of any
type in it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from kybern.kube.cel import ast
from kybern.kube.cel.errors import CompileError
from kybern.kube.cel.spans import Span

# Levels that a piece may have: less than half of what the compiler takes, since some count twice; and enough for what
# is cut out to be longer than the name that stands for it.
CUT_AT = 12
MOST = 64  # pieces of an expression: each is compiled for itself
DECLARED = 8  # types in types that a declaration may have
FRAMES = 20_000  # of Python, for what works on deep trees
TOO_DEEP = ("recursion limit exceeded", "max recursion depth")  # in the compiler's words
Compile = Callable[[str, dict[str, str]], ast.Checked]  # a text, with further variables


@dataclass
class Piece:
    """`pieces` have been cut out of it; `bound` are variables of macros around it."""

    span: Span
    bound: tuple[str, ...]
    pieces: list["Piece"] = field(default_factory=list)


@contextmanager
def deeper() -> Iterator[None]:
    """Let Python's functions call each other as deep as expressions may nest."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def is_too_deep(error: CompileError) -> bool:
    """Whether this is what the compiler says of an expression that it does not get to the bottom of."""
    return any(words in str(error) for words in TOO_DEEP)


def cut(span: Span, bound: tuple[str, ...] = ()) -> Piece:
    """The whole as a piece with what is deep cut out of it. Raises CompileError for too many pieces."""
    piece = Piece(span, bound)
    _cut(span, bound, piece)
    if _count(piece) > MOST:
        raise CompileError("the expression is nested too deeply in too many places")
    return piece


def _count(piece: Piece) -> int:
    return 1 + sum(map(_count, piece.pieces))


def _cut(span: Span, bound: tuple[str, ...], into: Piece) -> int:
    """Cut out of a span what is too deep; the levels that stay."""
    level = 0
    for index, part in enumerate(span.parts):
        names = (*bound, *span.binds) if span.binds and index >= span.scope else bound
        inner = Piece(part, names)
        left = _cut(part, names, inner)
        if left >= CUT_AT and not span.whole and not part.whole:
            into.pieces.append(inner)
            left = 1
        else:
            into.pieces += inner.pieces
        level = max(level, left)
    return level + 1


def texts(text: str, piece: Piece) -> Iterator[str]:
    """Every piece's own text, what was cut out of it left out."""
    for inner in piece.pieces:
        yield from texts(text, inner)
    yield _text(text, piece)


def _text(text: str, piece: Piece) -> str:
    kept = list(_blank(text[: piece.span.start]) + text[piece.span.start : piece.span.end])
    kept += _blank(text[piece.span.end :])
    for number, inner in enumerate(piece.pieces):
        name, start, end = f"_{number}_", inner.span.start, inner.span.end
        kept[start:end] = name + _blank(text[start + len(name) : end])
    return "".join(kept)


def compiled(text: str, piece: Piece, compile_: Compile) -> ast.Checked:
    """The tree of a piece, all that was cut out of it put back. Raises CompileError."""
    found = {f"_{number}_": compiled(text, inner, compile_) for number, inner in enumerate(piece.pieces)}
    types = dict.fromkeys(piece.bound, "dyn")
    types |= {name: declared(one.type_of(one.root)) for name, one in found.items()}
    return _joined(compile_(_text(text, piece), types), found)


def _blank(text: str) -> str:
    return "".join(character if character == "\n" else " " for character in text)


def declared(of: ast.Type, depth: int = 0) -> str:
    """A type as declarations write it; what those cannot say is of any type."""
    if depth > DECLARED or of.name in ("wrapper", "any", "type", "null_type"):
        return "dyn"
    inner = [declared(one, depth + 1) for one in of.parameters]
    return f"{of.name}<{', '.join(inner)}>" if inner else of.name


def _joined(outer: ast.Checked, inner: dict[str, ast.Checked]) -> ast.Checked:
    """One tree, each node with an id of its own."""
    types, overloads, names = dict(outer.types), dict(outer.overloads), dict(outer.names)
    positions, stands_for = dict(outer.positions), {}
    last = max((*types, *positions, 0))
    for name, checked in inner.items():
        types |= {at + last: one for at, one in checked.types.items()}
        overloads |= {at + last: one for at, one in checked.overloads.items()}
        names |= {at + last: one for at, one in checked.names.items()}
        positions |= {at + last: one for at, one in checked.positions.items()}
        stands_for[name] = _shifted(checked.root, last)
        last += max((*checked.types, *checked.positions, 0))
    names = {at: name for at, name in names.items() if name not in inner}
    return ast.Checked(_replaced(outer.root, stands_for), types, overloads, names, positions, deep=True)


def _shifted(node: ast.Node, by: int) -> ast.Node:
    return _walk(node, lambda one: replace(one, id=one.id + by))


def _replaced(node: ast.Node, stands_for: dict[str, ast.Node]) -> ast.Node:
    if isinstance(node, ast.Ident) and node.name in stands_for:
        return stands_for[node.name]
    return _walk(node, lambda one: one, lambda child: _replaced(child, stands_for))


def _walk(
    node: ast.Node, change: Callable[[ast.Node], ast.Node], into: Callable[[ast.Node], ast.Node] | None = None
) -> ast.Node:
    """The node changed, and what is below it."""
    below = into or (lambda child: _walk(child, change))
    match node:
        case ast.Select():
            node = replace(node, operand=below(node.operand))
        case ast.Call():
            target = None if node.target is None else below(node.target)
            node = replace(node, target=target, args=tuple(map(below, node.args)))
        case ast.CreateList():
            node = replace(node, elements=tuple(map(below, node.elements)))
        case ast.CreateStruct():
            node = replace(node, entries=tuple(_entry(one, below) for one in node.entries))
        case ast.Comprehension():
            node = replace(
                node,
                iter_range=below(node.iter_range),
                accu_init=below(node.accu_init),
                loop_condition=below(node.loop_condition),
                loop_step=below(node.loop_step),
                result=below(node.result),
            )
    return change(node)


def _entry(entry: ast.Entry, below: Callable[[ast.Node], ast.Node]) -> ast.Entry:
    key = below(entry.key) if isinstance(entry.key, ast.Node) else entry.key
    return replace(entry, key=key, value=below(entry.value))
