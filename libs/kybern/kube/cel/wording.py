"""How problems are told: in cel-go's words, what the CEL library's parser says differently of the same mistake."""

import re

from kybern.kube.cel.ast import Type

_REWORDED = (
    (re.compile(r"has\(\) argument must be a field selection"), "invalid argument to has() macro"),
    (re.compile(r"\b(?:all|exists|exists_one|existsOne)\(\) variable name must be a simple identifier"
                r"|\b\w+\(\) (?:first|second) variable name must be a simple identifier"),
     "argument must be a simple name"),
    (re.compile(r"'\\u003F'"), "'?'"),
    (re.compile(r"Invalid (?:bytes|string) literal: [^\n]*"), "unable to unescape string"),
    (re.compile(r"no viable alternative at input '\.(true|false|null|in)'"),
     r"mismatched input '\1' expecting IDENTIFIER"),
    (re.compile(r"\nERROR: <input>:4294967295:0: <<nil>> parsetree"), ""),
    (re.compile(r"\b(?:map|filter)\(\) variable name must be a simple identifier"), "argument is not an identifier"),
)  # fmt: skip
_TWICE = re.compile(
    r"ERROR: <input>:(\d+):(\d+): \w+\(\) second variable must be different from the first variable"
    r"\n \| (.*)\n \| (\.*)\^"
)
_NO_IDENT = re.compile(
    r"(ERROR: <input>:(\d+:\d+): Syntax error: mismatched input '.*' expecting \{IDENTIFIER, ESC_IDENTIFIER\})"
    r"(\n.*\n.*)"
)
_UNREADABLE = re.compile(r"token recognition error at: '.*'")
_PLACE = re.compile(r"ERROR: <input>:(\d+):(\d+):")
_NULL = {"null_type": "null"}
_RUNTIME = {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}
_WIDE, _WIDE_MARK = "．", "＾"


def worded(message: str, lines: bool = False) -> str:
    """The parser's explanation in cel-go's words; `lines` says whether it is about several."""
    message = re.sub(r"^[A-Z_]+: ", "", message, count=1) if not message.startswith("ERROR: <") else message
    message = re.sub(r" \[[A-Z_]+\]$", "", message)
    for pattern, words in _REWORDED:
        message = pattern.sub(words, message)
    if lines:
        message = _UNREADABLE.sub(lambda match: match[0].replace(r"\n", "\n"), message)
    message = _NO_IDENT.sub(r"\1\3\nERROR: <input>:\2: unsupported ident kind\3", message)
    return in_order(_TWICE.sub(_second_variable, message))


def _second_variable(match: re.Match[str]) -> str:
    """A name that both variables of a macro have is told at the second."""
    line, column, shown, dots = match.groups()
    found = re.compile(r"\s*(\w+)\s*,\s*").match(shown, int(column) - 1)
    if found is None:
        return match[0]
    more = found.end() - int(column) + 1
    where = f"ERROR: <input>:{line}:{int(column) + more}: duplicate variable name: {found[1]}"
    return f"{where}\n | {shown}\n | {dots}{'.' * more}^"


def in_order(message: str) -> str:
    blocks = re.split(r"\n(?=ERROR: <input>)", message)
    places = [_PLACE.match(block) for block in blocks]
    found = [
        ((int(place[1]), int(place[2])), block)
        for place, block in zip(places, blocks, strict=True)
        if place is not None
    ]
    return "\n".join(block for _, block in sorted(found, key=lambda one: one[0])) if all(places) else message


def placed(expression: str, position: int, problem: str) -> str:
    """A problem with its place: a mark below the character, which is wide where letters are not ASCII."""
    before = expression[:position]
    line, column = before.count("\n"), position - (before.rfind("\n") + 1)
    shown = expression.split("\n")[line].replace("\t", " ")
    dots = "".join("." if one.isascii() else _WIDE for one in shown[:column])
    mark = "^" if column >= len(shown) or shown[column].isascii() else _WIDE_MARK
    return f"ERROR: <input>:{line + 1}:{column + 1}: {problem}\n | {shown}\n | {dots}{mark}"


def shown_whole(message: str, expression: str) -> str:
    """A message about a part, with the lines of the whole expression in it."""
    lines = expression.split("\n")

    def line(match: re.Match[str]) -> str:
        number = int(match[2])
        return f"{match[1]}{lines[number - 1]}" if 0 < number <= len(lines) else match[0]

    return re.sub(r"(ERROR: <input>:(\d+):\d+: [^\n]*\n \| )[^\n]*", line, message)


def runtime_name(of: Type) -> str:
    """A type as values name theirs."""
    name = _RUNTIME.get(of.name, of.name)
    return f"{name}({', '.join(map(runtime_name, of.parameters))})" if of.parameters else name


def shown_type(of: Type) -> str:
    """A type as messages of the compiler name it."""
    if of.name.startswith("%"):
        return f"_var{of.name[1:]}"
    if not of.parameters:
        return _NULL.get(of.name, of.name)
    return f"{of.name}({', '.join(map(shown_type, of.parameters))})"
