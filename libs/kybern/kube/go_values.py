"""Values about as Go's `%v` prints them, for messages that show one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kybern.kube.go_float import go_float


@dataclass(frozen=True, slots=True)
class Foreign:
    """What has no place in JSON, as Go prints it; `plain` stands for it where nobody minds."""

    printed: str
    syntax: str
    type: str
    plain: Any = None


def printed(value: Any) -> str:
    """Maps by their sorted keys, lists in brackets, strings bare."""
    if type(value) is Foreign:
        return value.printed
    if type(value) is dict:
        return "map[" + " ".join(f"{name}:{printed(child)}" for name, child in sorted(value.items())) + "]"
    if type(value) is list:
        return "[" + " ".join(map(printed, value)) + "]"
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is float or (type(value) is int and not -(1 << 63) <= value < 1 << 63):
        return go_float(value)
    return "<nil>" if value is None else str(value)


def in_go_syntax(value: Any) -> str:
    """A value of JSON about as Go's `%#v` prints it."""
    if type(value) is Foreign:
        return value.syntax
    if type(value) is dict:
        inner = ", ".join(f"{quoted(name)}:{_member(child)}" for name, child in sorted(value.items()))
        return f"map[string]interface {{}}{{{inner}}}"
    if type(value) is list:
        return f"[]interface {{}}{{{', '.join(map(_member, value))}}}"
    return quoted(value) if type(value) is str else printed(value)


def _member(value: Any) -> str:
    return "interface {}(nil)" if value is None else in_go_syntax(value)


def quoted(text: str) -> str:
    """A string about as Go's `%q` prints it."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    named = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f"}
    named["\v"] = "\\v"
    return '"' + "".join(named.get(char) or _shown(char) for char in text) + '"'


def quoted_list(texts: Iterable[str]) -> str:
    """Strings about as Go's `%q` prints a slice of them."""
    return "[" + " ".join(map(quoted, texts)) + "]"


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
