"""Value validation: whether a value has the types, ranges and shapes that the schema asks for, in upstream's words."""

from decimal import Decimal
from typing import Any

import orjson

from kybern.kube.cel.library.regex import matches
from kybern.kube.field import FieldError, invalid, not_supported, required, too_long, too_many, type_invalid
from kybern.kube.structural.formats import FORMATS
from kybern.kube.structural.lists import identity
from kybern.kube.structural.node import MISSING, Node

EPSILON = 1e-9
NOWHERE = "<nil>"  # how upstream names the place of an error that has none
_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}


def check(node: Node, value: Any, path: str, errors: list[FieldError], old: Any = MISSING) -> None:
    """Every error of a value; what equals `old`, its state before an update, is not judged."""
    if old is not MISSING and unchanged(value, old):
        return
    types = node.types
    name = _NAMES.get(type(value), "null")
    if types and name not in types and not _converts(value, name, types):
        if name == "null" and node.nullable:
            return
        given = ",".join(types)
        errors.append(type_invalid(path, name, f'{path} in body must be of type {given}: "{name}"'))
    if value is not None:
        if node.all_of or node.any_of or node.one_of or node.negated is not None:
            _check_alternatives(node, value, path, errors)
        if name == "string":
            _check_string(node, value, path, errors)
        elif name == "integer" or name == "number":
            if node.limits:
                _check_number(node, value, path, errors)
        elif name == "array":
            _check_array(node, value, path, errors, old)
    if node.enum and not any(_same(value, allowed) for allowed in node.enum):
        errors.append(not_supported(path, value, [_shown(allowed) for allowed in node.enum]))
    if name == "object":
        _check_object(node, value, path, errors, old)


def unchanged(value: Any, old: Any) -> bool:
    """Whether two values are the same JSON; for Python, 1 and true are equal."""
    if value != old:
        return False
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == orjson.dumps(old, option=orjson.OPT_SORT_KEYS)


def _converts(value: Any, name: str, types: tuple[str, ...]) -> bool:
    """A whole number with a fraction of zero is an integer; an integer is a number."""
    if name == "number" and "integer" in types:
        return bool(value == int(value)) if abs(value) < 2**63 else False
    return name == "integer" and "number" in types


def _same(value: Any, allowed: Any) -> bool:
    numbers = (int, float)
    if type(value) is type(allowed) or (type(value) in numbers and type(allowed) in numbers):
        return bool(value == allowed)
    return False


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _check_string(node: Node, value: str, path: str, errors: list[FieldError]) -> None:
    limits = node.limits
    if limits:
        most, least = limits.get("maxLength"), limits.get("minLength")
        if most is not None and len(value) > most:
            errors.append(too_long(path, most))
        if least is not None and len(value) < least:
            errors.append(invalid(path, value, f"{path} in body should be at least {least} chars long"))
    if node.pattern and not matches(value, node.pattern):
        errors.append(invalid(path, value, f"{path} in body should match '{node.pattern}'"))
    if node.format:
        well_formed = FORMATS.get(node.format)
        if well_formed is not None and not well_formed(value):
            detail = f"{path} in body must be of type {node.format}: {_shown_quoted(value)}"
            errors.append(invalid(path, value, detail))


def _shown_quoted(value: str) -> str:
    return orjson.dumps(value).decode()


def _check_number(node: Node, value: float, path: str, errors: list[FieldError]) -> None:
    limits = node.limits
    factor, most, least = limits.get("multipleOf"), limits.get("maximum"), limits.get("minimum")
    if factor and abs(value / factor - round(value / factor)) > EPSILON:
        errors.append(invalid(path, value, f"{path} in body should be a multiple of {go_number(factor)}"))
    if most is not None and (value >= most if limits.get("exclusiveMaximum") else value > most):
        word = "less than" if limits.get("exclusiveMaximum") else "less than or equal to"
        errors.append(invalid(path, value, f"{path} in body should be {word} {go_number(most)}"))
    if least is not None and (value <= least if limits.get("exclusiveMinimum") else value < least):
        word = "greater than" if limits.get("exclusiveMinimum") else "greater than or equal to"
        errors.append(invalid(path, value, f"{path} in body should be {word} {go_number(least)}"))


def go_number(value: float) -> str:
    """A float64 as Go's %v writes it: 3, 0.5, 1e+06."""
    number = Decimal(repr(float(value))).normalize()
    exponent = number.adjusted()
    if not value or -4 <= exponent < 6:
        return f"{number:f}"
    digits = "".join(map(str, number.as_tuple().digits))
    sign, fraction = "-" if value < 0 else "", f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{fraction}e{exponent:+03d}"


def _check_array(node: Node, value: list[Any], path: str, errors: list[FieldError], old: Any) -> None:
    items = node.items
    if items is not None:
        before = _correlated(node, old)
        for index, item in enumerate(value):
            known = before.get(identity(item, node.list_keys), MISSING) if before else MISSING
            check(items, item, f"{path}[{index}]", errors, known)
    limits = node.limits
    if limits:
        most, least = limits.get("maxItems"), limits.get("minItems")
        if least is not None and len(value) < least:
            errors.append(invalid(path, len(value), f"{path} in body should have at least {least} items"))
        if most is not None and len(value) > most:
            errors.append(too_many(path, len(value), most))


def _correlated(node: Node, old: Any) -> dict[bytes, Any]:
    """The items before an update, by the keys of a list that is a map."""
    if node.list_type != "map" or type(old) is not list:
        return {}
    return {identity(item, node.list_keys): item for item in old}


def _check_object(node: Node, value: dict[str, Any], path: str, errors: list[FieldError], old: Any) -> None:
    limits = node.limits
    if limits:
        most, least = limits.get("maxProperties"), limits.get("minProperties")
        if least is not None and len(value) < least:
            errors.append(invalid(path, len(value), f"{path} in body should have at least {least} properties"))
        if most is not None and len(value) > most:
            errors.append(too_many(path, len(value), most))
    prefix = f"{path}." if path else ""
    errors += [required(prefix + name) for name in node.required if name not in value]
    before = old if type(old) is dict else {}
    properties, more = node.properties, node.additional
    for name, part in value.items():
        inner = properties.get(name) or more
        if inner is not None:
            check(inner, part, prefix + name, errors, before.get(name, MISSING))


def _check_alternatives(node: Node, value: Any, path: str, errors: list[FieldError]) -> None:
    if node.any_of:
        best = _best(node.any_of, value, path)
        if best:
            errors += [invalid(NOWHERE, "", f'"{path}" must validate at least one schema (anyOf)'), *best]
    if node.one_of:
        results: list[list[FieldError]] = [_errors(alternative, value, path) for alternative in node.one_of]
        valid = sum(not found for found in results)
        if valid != 1:
            why = f"Found {valid} valid alternatives" if valid else "Found none valid"
            errors.append(invalid(NOWHERE, "", f'"{path}" must validate one and only one schema (oneOf). {why}'))
            if not valid:
                best = min(results, key=lambda found: len(found))
                errors += best
    if node.all_of:
        results = [_errors(alternative, value, path) for alternative in node.all_of]
        valid = sum(not found for found in results)
        for found in results:
            errors += found
        if valid < len(results):
            why = "" if valid else ". None validated"
            errors.append(invalid(NOWHERE, "", f'"{path}" must validate all the schemas (allOf){why}'))
    if node.negated is not None and not _errors(node.negated, value, path):
        errors.append(invalid(NOWHERE, "", f'"{path}" must not validate the schema (not)'))


def _errors(node: Node, value: Any, path: str) -> list[FieldError]:
    found: list[FieldError] = []
    check(node, value, path, found)
    return found


def _best(alternatives: tuple[Node, ...], value: Any, path: str) -> list[FieldError]:
    """The errors of the alternative that comes nearest; none if one fits."""
    best: list[FieldError] | None = None
    for alternative in alternatives:
        found = _errors(alternative, value, path)
        if not found:
            return []
        if best is None or len(found) < len(best):
            best = found
    return best or []
