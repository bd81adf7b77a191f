"""Expressions that nest deeper than the parser goes: parsed in pieces, and put together again.

What lies deep is cut out and parsed alone, in its place: the text around it is blank, so that positions stay what
they are. Where it was cut out, a name stands in for it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kybern.kube.cel import ast
from kybern.kube.cel.errors import CompileError
from kybern.kube.cel.spans import Span
from kybern.kube.cel.walk import every, rebuilt

# Levels that a piece may have: less than half of what the compiler takes, since some count twice; and enough for what
# is cut out to be longer than the name that stands for it.
CUT_AT = 12
MOST = 64  # pieces of an expression: each is parsed for itself
FRAMES = 20_000  # of Python, for what works on deep trees
TOO_DEEP = ("recursion limit exceeded", "max recursion depth")  # in the compiler's words
Parse = Callable[[str], ast.Parsed]


@dataclass
class Piece:
    """`pieces` have been cut out of it."""

    span: Span
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


def cut(span: Span) -> Piece:
    """The whole as a piece with what is deep cut out of it. Raises CompileError for too many pieces."""
    piece = Piece(span)
    _cut(span, piece)
    if _count(piece) > MOST:
        raise CompileError("the expression is nested too deeply in too many places")
    return piece


def _count(piece: Piece) -> int:
    return 1 + sum(map(_count, piece.pieces))


def _cut(span: Span, into: Piece) -> int:
    """Cut out of a span what is too deep; the levels that stay."""
    level = 0
    for part in span.parts:
        inner = Piece(part)
        left = _cut(part, inner)
        if left >= CUT_AT and not span.whole and not part.whole:
            into.pieces.append(inner)
            left = 1
        else:
            into.pieces += inner.pieces
        level = max(level, left)
    return level + 1


def _text(text: str, piece: Piece) -> str:
    kept = list(_blank(text[: piece.span.start]) + text[piece.span.start : piece.span.end])
    kept += _blank(text[piece.span.end :])
    for number, inner in enumerate(piece.pieces):
        name, start, end = f"_{number}_", inner.span.start, inner.span.end
        kept[start:end] = name + _blank(text[start + len(name) : end])
    return "".join(kept)


def parsed(text: str, piece: Piece, parse: Parse) -> ast.Parsed:
    """The tree of a piece, all that was cut out of it put back. Raises CompileError."""
    found = {f"_{number}_": parsed(text, inner, parse) for number, inner in enumerate(piece.pieces)}
    return _joined(parse(_text(text, piece)), found)


def _blank(text: str) -> str:
    return "".join(character if character == "\n" else " " for character in text)


def _joined(outer: ast.Parsed, inner: dict[str, ast.Parsed]) -> ast.Parsed:
    """One tree, each node with an id of its own."""
    positions, stands_for = dict(outer.positions), {}
    last = max((*positions, *_ids(outer.root)))
    for name, one in inner.items():
        positions |= {at + last: place for at, place in one.positions.items()}
        stands_for[name] = _shifted(one.root, last)
        last += max((*one.positions, *_ids(one.root)))
    return ast.Parsed(_replaced(outer.root, stands_for), positions, deep=True)


def _ids(node: ast.Node) -> Iterator[int]:
    return (one.id for one in every(node))


def _shifted(node: ast.Node, by: int) -> ast.Node:
    return rebuilt(node, lambda child: _shifted(child, by), by)


def _replaced(node: ast.Node, stands_for: dict[str, ast.Node]) -> ast.Node:
    if isinstance(node, ast.Ident) and node.name in stands_for:
        return stands_for[node.name]
    return rebuilt(node, lambda child: _replaced(child, stands_for))
