"""Laying an applied configuration over the live object, and taking fields out again."""

from typing import Any

from kybern.apiserver.core.managed_fields.paths import EMPTY, Path, Schema, Types, element, is_granular, parts


def merge(live: Any, applied: Any, schema: Schema, types: Types) -> Any:
    """The live value with everything that the configuration says; lists keep the live order, new elements come last."""
    schema = types.resolve(schema)
    if live is None or not is_granular(schema, applied) or type(live) is not type(applied):
        return applied
    if isinstance(applied, dict):
        merged = dict(live)
        for name, value in applied.items():
            merged[name] = merge(live.get(name), value, types.member(schema, name)[0], types)
        return merged
    inner = schema.get("items", EMPTY)
    at = {element(schema, types, item): index for index, item in enumerate(live)}
    elements = list(live)
    for item in applied:
        index = at.get(element(schema, types, item))
        if index is None:
            elements.append(item)
        else:
            elements[index] = merge(live[index], item, inner, types)
    return elements


def without(value: Any, paths: set[Path], schema: Schema, types: Types) -> Any:
    """The value without what lies at the paths; objects and lists that this empties go too."""
    schema = types.resolve(schema)
    if not paths or not is_granular(schema, value):
        return value
    below: dict[str, set[Path]] = {}
    for path in paths:
        below.setdefault(path[0], set()).add(path[1:])
    kept: list[tuple[str, Any]] = []
    for name, item, inner, _ in parts(value, schema, types):
        inside = below.get(name)
        if inside is None:
            kept.append((name, item))
        elif () not in inside:
            rest = without(item, inside, inner, types)
            if name.startswith("k:") and isinstance(rest, dict):  # an element that stays keeps its keys
                keys = schema.get("x-kubernetes-list-map-keys", ())
                rest = {**{key: item[key] for key in keys if key in item}, **rest}
            if rest not in ({}, []) or item in ({}, []):
                kept.append((name, rest))
    if isinstance(value, dict):
        return {name[2:]: item for name, item in kept}
    return [item for _, item in kept]
