"""Value validation: whether a value has the types, ranges and shapes that the schema asks for, in upstream's words."""

from typing import Any

import orjson

from kybern.kube.cel.library.regex import matches
from kybern.kube.field import FieldError, invalid, not_supported, required, too_long, too_many, type_invalid
from kybern.kube.go_float import go_float
from kybern.kube.structural.formats import FORMATS
from kybern.kube.structural.lists import identity
from kybern.kube.structural.node import MISSING, Node

EPSILON = 1e-9
NOWHERE = "<nil>"  # how upstream names the place of an error that has none
_FORMATS = {"integer": "int64", "number": "float64"}
_TYPE_META = ("apiVersion", "kind")  # old and new object have been read in the same version
_NUMBERS = (("integer",), ("number",))
_LARGEST_WHOLE = 2**53 - 1  # a larger float is not taken for an integer
_WITHIN = {"int32": 1 << 31, "uint32": 1 << 32, "": 1 << 63, "int64": 1 << 63}
_FLOAT32 = 3.4028234663852886e38
_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}


def check(node: Node, value: Any, path: str, errors: list[FieldError], old: Any = MISSING) -> int:
    """Every error of a value; what equals `old`, its state before an update, is not judged.

    Returns how many sorts of checks applied here and below: of alternatives that fail, the one with most is told of.
    """
    if old is not MISSING and unchanged(node, value, old):
        return 0
    name = _name(value)
    if value is None:
        if node.types and not node.nullable:
            errors.append(_wrong_type(path, ",".join(node.types), name))
        if node.enum:
            errors.append(not_supported(path, value, [_shown(allowed) for allowed in node.enum], in_order=True))
        return 0
    count = 3 + bool(node.types or node.format)
    _check_type(node, value, name, path, errors)
    if node.all_of or node.any_of or node.one_of or node.negated is not None:
        count += _check_alternatives(node, value, path, errors)
    if name == "string":
        count += 1 + (node.format in FORMATS)
        _check_string(node, value, path, errors)
    elif name == "integer" or name == "number":
        count += 1
        if node.limits or node.types in _NUMBERS:
            _check_number(node, value, name, path, errors)
    elif name == "array":
        count += 1 + _check_array(node, value, path, errors, old)
    if node.enum and not any(_same(value, allowed) for allowed in node.enum):
        supported = [_shown(allowed) for allowed in node.enum]
        errors.append(not_supported(path, value, supported, in_order=True))
    if name == "object":
        count += 1 + _check_object(node, value, path, errors, old)
    return count


def _name(value: Any) -> str:
    """The type of a value; an integer of more than 64 bits is read as a number."""
    if type(value) is int and not -(1 << 63) <= value < 1 << 63:
        return "number"
    return _NAMES.get(type(value), "null")


def _wrong_type(path: str, wanted: str, given: str) -> FieldError:
    return type_invalid(path, given, f'{path} in body must be of type {wanted}: "{given}"')


def _check_type(node: Node, value: Any, name: str, path: str, errors: list[FieldError]) -> None:
    types = node.types
    if name in types or _converts(value, name, types):
        return
    if node.format and name not in ("string", "array"):  # such values are told by their format
        given = _FORMATS.get(name, "")
        if given != node.format:
            errors.append(_wrong_type(path, node.format, given))
        return
    if types and not (node.format and name in ("string", "array") and types[0] not in ("integer", "number")):
        errors.append(_wrong_type(path, ",".join(types), name))


def unchanged(node: Node, value: Any, old: Any) -> bool:
    """Whether a value is as it was: the order of a list that is a map does not matter. What an object has undeclared
    cannot be told, so that one with such members is always another."""
    if value != old and not node.has_uniqueness:
        return False
    if type(value) is not type(old):
        return False  # for Python, 1 and true are equal
    if type(value) is dict:
        if value.keys() != old.keys():
            return False
        parts = ((node.properties.get(name) or node.additional, value[name], old[name]) for name in value)
        return all(inner is not None and unchanged(inner, part, before) for inner, part, before in parts)
    if type(value) is not list:
        return bool(value == old)
    if node.list_type != "map" or node.items is None or not value:
        return same_json(value, old)
    if len(value) != len(old):
        return False
    before = _correlated(node, old)
    found = [(item, before.get(identity(item, node.list_keys), MISSING)) for item in value]
    return all(known is not MISSING and unchanged(node.items, item, known) for item, known in found)


def same_json(value: Any, old: Any) -> bool:
    """Whether two values are the same JSON."""
    if value != old:
        return False
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == orjson.dumps(old, option=orjson.OPT_SORT_KEYS)


def _converts(value: Any, name: str, types: tuple[str, ...]) -> bool:
    """A whole number with a fraction of zero is an integer; an integer is a number."""
    if name == "number" and "integer" in types:
        whole = round(value) if abs(value) <= _LARGEST_WHOLE else None
        return whole is not None and bool(abs(value - whole) / (abs(value) + abs(whole) or 1) < EPSILON)
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
            errors.append(type_invalid(path, value, detail))


def _shown_quoted(value: str) -> str:
    return orjson.dumps(value).decode()


def _check_number(node: Node, value: float, name: str, path: str, errors: list[FieldError]) -> None:
    if node.types in _NUMBERS and not _in_range(node, value):
        shape = f"with format {node.format}" if node.format else "(default format)"
        detail = f"Checked value must be of type {node.types[0]} {shape} in {path}"
        errors.append(invalid(NOWHERE, "", detail))
    limits = node.limits
    read = _whole if name == "integer" else float  # limits are read as what they are compared with
    factor, most, least = (
        None if limits.get(one) is None else read(limits[one]) for one in ("multipleOf", "maximum", "minimum")
    )
    value = value if name == "integer" else float(value)
    if factor is not None:
        if factor <= 0:
            errors.append(
                invalid(path, factor, f"factor MultipleOf declared for {path} must be positive: {go_number(factor)}")
            )
        elif abs(value / factor - round(value / factor)) > EPSILON:
            errors.append(invalid(path, value, f"{path} in body should be a multiple of {go_number(factor)}"))
    if most is not None and (value >= most if limits.get("exclusiveMaximum") else value > most):
        word = "less than" if limits.get("exclusiveMaximum") else "less than or equal to"
        errors.append(invalid(path, value, f"{path} in body should be {word} {go_number(most)}"))
    if least is not None and (value <= least if limits.get("exclusiveMinimum") else value < least):
        word = "greater than" if limits.get("exclusiveMinimum") else "greater than or equal to"
        errors.append(invalid(path, value, f"{path} in body should be {word} {go_number(least)}"))


def _whole(value: float) -> int:
    return int(max(-(1 << 63), min(value, (1 << 63) - 1)))


def _in_range(node: Node, value: float) -> bool:
    """Whether the value fits its type and format."""
    if node.types[0] == "number":
        return node.format != "float" or abs(value) <= _FLOAT32
    most = _WITHIN.get(node.format, 1 << 63)
    lowest = -most <= value if type(value) is int else -most < value
    return value == int(value) and lowest and value < most


def go_number(value: float) -> str:
    """A number as Go's %v writes it: a float64 as 3, 0.5, 1e+06; an int64 with all digits."""
    return str(value) if isinstance(value, int) else go_float(value)


def _check_array(node: Node, value: list[Any], path: str, errors: list[FieldError], old: Any) -> int:
    items, count = node.items, 0
    if items is not None:
        before = _correlated(node, old)
        for index, item in enumerate(value):
            known = before.get(identity(item, node.list_keys), MISSING) if before else MISSING
            count += check(items, item, f"{path}[{index}]", errors, known)
    limits = node.limits
    if limits:
        most, least = limits.get("maxItems"), limits.get("minItems")
        if least is not None and len(value) < least:
            errors.append(invalid(path, len(value), f"{path} in body should have at least {least} items"))
        if most is not None and len(value) > most:
            errors.append(too_many(path, len(value), most))
    return count


def _correlated(node: Node, old: Any) -> dict[bytes, Any]:
    """The items before an update, by the keys of a list that is a map."""
    if node.list_type != "map" or type(old) is not list:
        return {}
    return {identity(item, node.list_keys): item for item in old}


def _check_object(node: Node, value: dict[str, Any], path: str, errors: list[FieldError], old: Any) -> int:
    limits, count = node.limits, 0
    if limits:
        most, least = limits.get("maxProperties"), limits.get("minProperties")
        if least is not None and len(value) < least:
            errors.append(invalid(path, len(value), f"{path} in body should have at least {least} properties"))
        if most is not None and len(value) > most:
            errors.append(too_many(path, len(value), most))
    prefix = f"{path}." if path else ""
    before = old if type(old) is dict else {}
    properties, more = node.properties, node.additional
    for name, part in value.items():
        inner = properties.get(name)
        if inner is not None:
            known = MISSING if not path and name in _TYPE_META else before.get(name, MISSING)
            count += check(inner, part, prefix + name, errors, known)
        elif more is not None:
            count += check(more, part, f"{path}.{name}", errors, before.get(name, MISSING))
        elif node.closed:
            errors.append(invalid(path, name, f"{prefix}{name} in body is a forbidden property"))
    errors += [required(prefix + name) for name in node.required if name not in value]
    return count


def _check_alternatives(node: Node, value: Any, path: str, errors: list[FieldError]) -> int:
    count = 1
    if node.any_of:
        found, matched = _judged(node.any_of, value, path)
        valid = next((at for at, one in enumerate(found) if not one), None)
        best = matched.index(max(matched)) if valid is None else valid
        count += matched[best]
        if valid is None:
            errors += [invalid(NOWHERE, "", f'"{path}" must validate at least one schema (anyOf)'), *found[best]]
    if node.one_of:
        found, matched = _judged(node.one_of, value, path)
        fitting = sum(not one for one in found)
        if fitting != 1:
            why = f"Found {fitting} valid alternatives" if fitting else "Found none valid"
            errors.append(invalid(NOWHERE, "", f'"{path}" must validate one and only one schema (oneOf). {why}'))
            if not fitting:
                errors += found[matched.index(max(matched))]
    if node.all_of:
        found, matched = _judged(node.all_of, value, path)
        count += sum(matched)
        fitting = sum(not one for one in found)
        for one in found:
            errors += one
        if fitting < len(found):
            why = "" if fitting else ". None validated"
            errors.append(invalid(NOWHERE, "", f'"{path}" must validate all the schemas (allOf){why}'))
    if node.negated is not None and not _judged((node.negated,), value, path)[0][0]:
        errors.append(invalid(NOWHERE, "", f'"{path}" must not validate the schema (not)'))
    return count


def _judged(alternatives: tuple[Node, ...], value: Any, path: str) -> tuple[list[list[FieldError]], list[int]]:
    """The errors by each alternative, and how many checks it came to."""
    found: list[list[FieldError]] = [[] for _ in alternatives]
    return found, [check(node, value, path, errors) for node, errors in zip(alternatives, found, strict=True)]
