"""Where the parts of an expression lie in its text, and how deep they nest: as much of CEL's grammar as that takes.

For expressions that nest deeper than the compiler goes (see `pieces`). What is no CEL at all is for the compiler to
say: here it only means that nothing is found.
"""

import re
from dataclasses import dataclass, field

from kybern.kube.cel.errors import CompileError

DEEPEST = 250  # levels, as upstream
_STRING = r"""[rRbB]{0,2}(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3})"""
_RAW = r"""(?:[rR][bB]?|[bB][rR])(?:"[^"\n]*"|'[^'\n]*')"""
_QUOTED = r"""[bB]?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
_NUMBER = r"0[xX][0-9a-fA-F]+[uU]?|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?[uU]?"
_TOKEN = re.compile(
    rf"(?P<skip>\s+|//[^\n]*)|(?P<text>{_STRING}|{_RAW}|{_QUOTED})|(?P<name>[A-Za-z_]\w*|`[^`]*`)|(?P<number>{_NUMBER})"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|\[\?|\.\?|[-+*/%!<>?:.,()\[\]{}])",
    re.DOTALL,
)
_BINARY = {"||": 1, "&&": 2, **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 3)}
_BINARY |= {**dict.fromkeys("+-", 4), **dict.fromkeys("*/%", 5)}
_UNARY = 6
# Macros by name and number of arguments: how many of these name variables of the others.
_MACROS = {(name, 2): 1 for name in ("all", "exists", "exists_one", "existsOne", "map", "filter")}
_MACROS |= {("map", 3): 1, ("bind", 3): 1}
_MACROS |= {
    (name, 3): 2 for name in ("all", "exists", "existsOne", "transformList", "transformMap", "transformMapEntry")
}
_MACROS |= {(name, 4): 2 for name in ("transformList", "transformMap", "transformMapEntry")}


@dataclass(slots=True)
class Span:
    """One part, `text[start:end]`, with the parts in it. `binds`: variables that only those from `scope` on know."""

    start: int
    end: int
    parts: list["Span"] = field(default_factory=list)
    binds: tuple[str, ...] = ()
    scope: int = 0
    whole: bool = False  # its parts stay where they are: has() wants to see a selection
    level: int = 1


class _NoCel(Exception):
    """The text is none that this understands."""


def read(text: str) -> Span | None:
    """The whole expression; None for what is none. Raises CompileError for one that nests too deeply."""
    try:
        reader = _Reader(text)
        found = reader.expression()
        return found if reader.at == len(reader.tokens) else None
    except _NoCel:
        return None


def quoted_names(text: str) -> list[int]:
    """Where names stand between backquotes."""
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is not None and match[0].startswith("`"):
            found.append(at)
        at = at + 1 if match is None else match.end()
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int, int]] = []  # kind, text, start, end
        self.at = self.depth = 0
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise _NoCel
            if match.lastgroup != "skip":
                self.tokens.append((match.lastgroup or "", match[0], match.start(), match.end()))
            position = match.end()

    def peek(self) -> str:
        kind, text = self.tokens[self.at][:2] if self.at < len(self.tokens) else ("", "")
        return text if kind in ("sign", "name") else ""

    def take(self, sign: str = "") -> tuple[str, str, int, int]:
        if self.at == len(self.tokens) or (sign and self.peek() != sign):
            raise _NoCel
        self.at += 1
        return self.tokens[self.at - 1]

    def expression(self) -> Span:
        self.depth += 1
        if self.depth > DEEPEST:
            raise CompileError(f"ERROR: <input>:-1:0: expression recursion limit exceeded: {DEEPEST}")
        found = self.binary(1)
        if self.peek() == "?":
            self.take()
            middle = self.binary(1)
            self.take(":")
            last = self.expression()
            found = _made(found.start, last.end, [found, middle, last])
        self.depth -= 1
        return found

    def binary(self, least: int) -> Span:
        found = self.unary()
        while (strength := _BINARY.get(self.peek(), 0)) >= least:
            sign = self.take()[1]
            right = self.binary(strength + 1)
            if sign in ("&&", "||") and found.scope == strength:  # the compiler keeps these flat
                found.parts.append(right)
                found.end, found.level = right.end, max(found.level, right.level + 1)
            else:
                found = _made(found.start, right.end, [found, right])
                found.scope = strength if sign in ("&&", "||") else 0
        return found

    def unary(self) -> Span:
        if self.peek() in ("!", "-"):
            start = self.take()[2]
            while self.peek() in ("!", "-"):
                self.take()
            inner = self.postfix()
            return _made(start, inner.end, [inner])
        return self.postfix()

    def postfix(self) -> Span:
        found, name = self.primary()
        while (sign := self.peek()) in (".", ".?", "[", "[?", "{"):
            if sign == "{":
                if not name:
                    break
                found = self.listed(found, "}", entries=True)
                name = ""
            elif sign in ("[", "[?"):
                self.take()
                index = self.expression()
                found = _made(found.start, self.take("]")[3], [found, index])
                name = ""
            else:
                self.take()
                token = self.take()
                if token[0] != "name":
                    raise _NoCel
                name = token[1]
                found = _made(found.start, token[3], [found])
                if self.peek() == "(":
                    found = self.called(found, name)
                    name = ""
        return found

    def primary(self) -> tuple[Span, str]:
        kind, text, start, end = self.take()
        if kind in ("text", "number"):
            return Span(start, end), ""
        if text == ".":
            kind, text, _, end = self.take()
        if kind == "name":
            found = Span(start, end)
            return (self.called(found, text), "") if self.peek() == "(" else (found, text)
        if text == "(":
            inner = self.expression()
            return Span(start, self.take(")")[3], [inner], level=inner.level), ""  # no level of the tree
        if text in ("[", "{"):
            self.at -= 1
            return self.listed(Span(start, start), "]" if text == "[" else "}", entries=text == "{"), ""
        raise _NoCel

    def called(self, target: Span, name: str) -> Span:
        """A call with its arguments; `target` is what is called, with what it is called on."""
        found = self.listed(target, ")", entries=False)
        own = found.parts[len(target.parts) :]
        variables = _MACROS.get((name, len(own)), 0)
        if variables:
            bound = [self.text(one) for one in own[:variables]]
            found.binds, found.scope = tuple(bound), len(target.parts) + variables
        found.whole = name == "has" and not target.parts
        return found

    def text(self, span: Span) -> str:
        return next((token[1] for token in self.tokens if token[2] == span.start), "")

    def listed(self, target: Span, end: str, entries: bool) -> Span:
        """What is between brackets, commas between."""
        self.take()
        parts = list(target.parts)
        while self.peek() != end:
            if self.peek() == "?":
                self.take()
            parts.append(self.expression())
            if entries:
                self.take(":")
                parts.append(self.expression())
            if self.peek() == ",":
                self.take()
            elif self.peek() != end:
                raise _NoCel
        return _made(target.start, self.take(end)[3], parts)


def _made(start: int, end: int, parts: list[Span]) -> Span:
    level = 1 + max((part.level for part in parts), default=0)
    if level > DEEPEST:
        raise CompileError("ERROR: <input>:-1:0: max recursion depth exceeded")
    return Span(start, end, parts, level=level)
