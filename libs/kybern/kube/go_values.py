"""Values about as Go's `%v` prints them, for messages that show one."""

from typing import Any


def printed(value: Any) -> str:
    """Maps by their sorted keys, lists in brackets, strings bare."""
    if type(value) is dict:
        return "map[" + " ".join(f"{name}:{printed(child)}" for name, child in sorted(value.items())) + "]"
    if type(value) is list:
        return "[" + " ".join(map(printed, value)) + "]"
    if type(value) is bool:
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)


def quoted(text: str) -> str:
    """A string about as Go's `%q` prints it."""
    named = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f"}
    named["\v"] = "\\v"
    return '"' + "".join(named.get(char) or _shown(char) for char in text) + '"'


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
