"""What values are called in errors of decoding, and what Go makes of those that do not fit."""

from typing import Any

from kybern.kube.schema.table import Definition


def corrupt(value: str) -> int:
    """The character at which Go gives up reading base64."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    at = next((i for i, char in enumerate(value) if char not in alphabet), len(value) // 4 * 4)
    rest = value[at:]
    if at % 4 == 3 and rest.startswith("="):
        return at + 1
    if at % 4 == 2 and rest.startswith("="):
        return len(value) if rest == "=" else at + 2 if rest.startswith("==") else at
    return at


def cut_off(value: float, limit: int) -> int:
    """What is left of a whole number where upstream turns 64 bits into fewer; beyond these is the lowest."""
    number = int(value) if -(2**63) <= value < 2**63 else -(2**63)
    return (number + limit) % (2 * limit) - limit


def go_type(schema: Definition) -> str:
    """The Go type that decode errors name for a schema."""
    if "$ref" in schema:
        return short(schema["$ref"])
    match schema.get("type"):
        case "array":
            return "[]" + go_type(schema["items"])
        case "object":
            inner = schema.get("additionalProperties")
            return "map[string]" + (go_type(inner) if inner else "interface {}")
        case "integer":
            return str(schema.get("format", "int64"))
        case "boolean":
            return "bool"
        case "number":
            return "float64"
    return "[]uint8" if schema.get("format") == "byte" else "string"


def short(name: str) -> str:
    return ".".join(name.rsplit(".", 2)[-2:])


def kind_of(schema: Definition) -> str:
    gvks = schema.get("x-kubernetes-group-version-kind")
    return str(gvks[0]["kind"]) if gvks else ""


def json_type(value: Any, wanted: str = "") -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            is_told = wanted.startswith(("int", "float", "uint"))
            return f"number {getattr(value, 'written', value)}" if is_told else "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"
