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
