"""The order in which a patch leaves the members of an object: what it went through is sorted, the rest stays.

Kubernetes patches the text of an object: maps that a patch does not enter are copied as they are. Who is refused is
shown the outcome.
"""

from __future__ import annotations

from typing import Any

from kybern.kube.patch.json_steps import parts_of


def merged(patched: Any, patch: Any) -> Any:
    """What a JSON merge patch made."""
    if not isinstance(patched, dict) or not isinstance(patch, dict):
        return patched
    return {name: merged(patched[name], patch.get(name)) for name in sorted(patched)}


def stepped(patched: Any, operations: Any) -> Any:
    """What a JSON patch made."""
    outcome = patched
    for operation in operations if isinstance(operations, list) else ():
        for member in ("path", "from"):
            pointer = operation.get(member) if isinstance(operation, dict) else None
            if isinstance(pointer, str):
                outcome = _along(outcome, parts_of(pointer)[1:])
    return outcome


def _along(value: Any, parts: list[str]) -> Any:
    if not parts:
        return value
    if isinstance(value, dict):
        return {name: _along(value[name], parts[1:] if name == parts[0] else []) for name in sorted(value)}
    if isinstance(value, list) and parts[0].isdecimal() and int(parts[0]) < len(value):
        index = int(parts[0])
        return [*value[:index], _along(value[index], parts[1:]), *value[index + 1 :]]
    return value
