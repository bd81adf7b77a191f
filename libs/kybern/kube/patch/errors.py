"""What is wrong with a strategic merge patch, in upstream's words; where its code is 500, ours is its kin's 400."""

from __future__ import annotations

from typing import Any

from kybern.kube.go_values import printed
from kybern.kube.status import StatusError, status_error

_TYPES = {bool: "bool", str: "string", int: "int64", float: "float64", dict: "map[string]interface {}"}


def failed(message: str) -> StatusError:
    """A patch that is malformed: upstream gives no reason and 500, though it answers its other bad patches with 400."""
    return status_error(400, "", message)


def bad_patch_type(directive: Any, where: dict[str, Any]) -> StatusError:
    """A `$patch` that nobody knows."""
    return failed(f"unknown patch type: {_as_text(directive)} in map: {printed(where)}")


def _as_text(value: Any) -> str:
    """Any value as Go's `%s` shows it."""
    if value is None:
        return "%!s(<nil>)"
    if isinstance(value, bool | int | float):
        return f"%!s({_TYPES[type(value)]}={printed(value)})"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{_as_text(one)}" for name, one in sorted(value.items())) + "]"
    return f"[{' '.join(map(_as_text, value))}]" if isinstance(value, list) else str(value)


def merge_key(element: dict[str, Any], key: str) -> Any:
    """The value of an element's merge key. Raises StatusError."""
    if key not in element:
        raise failed(f"map: {printed(element)} does not contain declared merge key: {key}")
    return element[key]


def want_list(value: Any) -> list[Any]:
    """Raises StatusError for anything else."""
    if not isinstance(value, list):
        kind = "%!s(<nil>)" if value is None else _TYPES[type(value)]
        raise failed(f"expected a []interface {{}}, but received a {kind}")
    return value


def want_map(value: Any) -> dict[str, Any]:
    """Raises StatusError for anything else."""
    if not isinstance(value, dict):
        kind = "%!s(<nil>)" if value is None else {**_TYPES, list: "[]interface {}"}[type(value)]
        raise failed(f"expected a map[string]interface {{}}, but received a {kind}")
    return value


def go_name(definition: str) -> str:
    """The name of a definition's Go type."""
    return definition.rpartition(".")[2]


def no_such_field(definition: str, member: str) -> StatusError:
    """A field that the type does not have."""
    return failed(f'unable to find api field in struct {go_name(definition)} for the json field "{member}"')
