"""Typed validation: an applied configuration must fit its schema before it is merged, and name each item once."""

from typing import Any

import orjson

from kybern.kube.go_values import Foreign, in_go_syntax, printed
from kybern.kube.managed_fields.field_set import readable
from kybern.kube.managed_fields.types import ANYTHING, BOOLEAN, LIST, MAP, NUMERIC, STRING, Type, list_element

_GO_TYPES = {bool: "bool", str: "string", dict: "map[string]interface {}", list: "[]interface {}"}


def check(of: Type, config: Any, *, once: bool = True) -> str:
    """What is wrong, as upstream words it; empty if nothing is. `once`: no list may name an item twice."""
    errors = [f"{path}: {text}" if path else text for path, text in _errors(of, config, "")]
    if not once:
        errors = [error for error in errors if ": duplicate entries for key " not in error]
    if len(errors) < 2:
        return "".join(errors)
    return "errors:" + "".join(f"\n  {error}" for error in errors)


def _errors(of: Type, value: Any, path: str) -> list[tuple[str, str]]:
    if value is None or of.scalar == ANYTHING or of.element_is_itself:
        return []
    if of.shape == MAP:
        return _map_errors(of, value, path)
    if of.shape == LIST:
        return _list_errors(of, value, path)
    wrong = _scalar_error(of.scalar, value)
    return [(path, wrong)] if wrong else []


def _map_errors(of: Type, value: Any, path: str) -> list[tuple[str, str]]:
    if type(value) is not dict:
        return [(path, f"expected map, got &{{{printed(value)}}}")]
    found: list[tuple[str, str]] = []
    for name, child in value.items():
        field = of.fields.get(name)
        if field is None and of.closed:
            return [*found, (f"{path}.{name}", "field not declared in schema")]
        found += _errors(field or of.element, child, f"{path}.{name}")
    return found


def _list_errors(of: Type, value: Any, path: str) -> list[tuple[str, str]]:
    if type(value) is not list:
        return [(path, f"expected list, got &{{{printed(value)}}}")]
    found: list[tuple[str, str]] = []
    seen: set[str] = set()
    for index, item in enumerate(value):
        if not of.granular:
            found += _errors(of.element, item, f"{path}[{index}]")
            continue
        wrong = _element_error(of, item)
        if wrong:
            return [*found, (path, f"element {index}: {wrong}")]
        part = list_element(of, item)
        if part in seen:
            found.append((path, f"duplicate entries for key {readable((part,))}"))
        seen.add(part)
        found += _errors(of.element, item, path + readable((part,)))
    return found


def _element_error(of: Type, item: Any) -> str:
    """Why an item has no path element."""
    if not of.keys:
        if type(item) is dict:
            return "associative list without keys has an element that's a map type"
        if type(item) is list:
            return "not supported: associative list with lists as elements"
        return "associative list without keys has an element that's an explicit null" if item is None else ""
    if item is None:
        return "associative list with keys may not have a null element"
    if type(item) is not dict:
        return "associative list with keys may not have non-map elements"
    if any(key in item or default is not None for key, default in of.keys):
        return ""
    names = " ".join(orjson.dumps(key).decode() for key, _ in of.keys)
    return (
        f"associative list with keys has an element that omits all key fields [{names}] "
        "(and doesn't have default values for any key fields)"
    )


def _scalar_error(scalar: str, value: Any) -> str:
    kind = type(value)
    if scalar == NUMERIC and kind not in (int, float):
        return f"expected numeric (int or float), got {value.type if kind is Foreign else _GO_TYPES[kind]}"
    if scalar == STRING and kind is not str:
        return f"expected string, got &value.valueUnstructured{{Value:{in_go_syntax(value)}}}"
    if scalar == BOOLEAN and kind is not bool:
        return f"expected boolean, got &{{{printed(value)}}}"
    return f"expected any scalar, got &{{{printed(value)}}}" if kind in (dict, list, Foreign) else ""
