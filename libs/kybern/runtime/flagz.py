"""Flags of a process by name, as /flagz shows them: values as Go writes them."""

from argparse import Namespace
from collections.abc import Iterable
from typing import Any

INTERNAL = frozenset({"worker"})  # between processes of one service


def shown(options: Namespace) -> dict[str, str]:
    """Every flag, with its value or its default."""
    return {name.replace("_", "-"): _text(value) for name, value in vars(options).items() if name not in INTERNAL}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return f"[{','.join(map(str, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
