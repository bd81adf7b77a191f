"""Component schemas: table definitions written in either OpenAPI version, with descriptions where there are some."""

from collections.abc import Iterable

from kybern.kube.openapi.descriptions import describe, describe_field
from kybern.kube.schema import Definition

_INT_OR_STRING = "int-or-string"
_SPECIAL_V3: dict[str, Definition] = {
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    _INT_OR_STRING: {"format": _INT_OR_STRING, "oneOf": [{"type": "integer"}, {"type": "string"}]},
    "micro-time": {"type": "string", "format": "date-time"},
}
_SPECIAL_V2: dict[str, Definition] = {
    "quantity": {"type": "string"},
    "micro-time": {"type": "string", "format": "date-time"},
}
PATCH = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"
PATCH_SCHEMA: Definition = {"type": "object", "description": "A change to an object, in one of the patch formats."}


def reachable(definitions: dict[str, Definition], roots: Iterable[str]) -> list[str]:
    """The names of all definitions that the roots refer to, themselves included, sorted."""
    seen: set[str] = set()
    todo = list(roots)
    while todo:
        name = todo.pop()
        if name not in seen and name in definitions:
            seen.add(name)
            todo += _references(definitions[name])
    return sorted(seen)


def _references(schema: Definition) -> list[str]:
    found = [schema["$ref"]] if "$ref" in schema else []
    for child in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(child, dict):
            found += _references(child)
    return found


def component(name: str, schema: Definition, *, v3: bool, custom: bool = False) -> Definition:
    """One definition as a component of a document. Custom ones are described by their authors."""
    if custom:
        return _write(schema, "", v3=v3)
    special = (_SPECIAL_V3 if v3 else _SPECIAL_V2).get(schema.get("format", ""))
    if special is not None:
        return {"description": describe(name), **special}
    written = _write(schema, name, v3=v3)
    return {"description": describe(name), **written}


def _write(schema: Definition, owner: str, *, v3: bool) -> Definition:
    if "$ref" in schema:
        return _reference(schema, v3=v3)
    out = dict(schema)
    if "properties" in schema:
        out["properties"] = {
            member: _property(prop, owner, member, v3=v3) for member, prop in schema["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            out[key] = _write(schema[key], owner, v3=v3)
    return out


def _property(prop: Definition, owner: str, member: str, *, v3: bool) -> Definition:
    text = describe_field(owner, member) if owner or "$ref" in prop else ""
    written = _write(prop, owner, v3=v3)
    if not text:
        return written
    if v3 and "$ref" in written:
        return {"description": text, "allOf": [written]}
    return {"description": text, **written}


def _reference(schema: Definition, *, v3: bool) -> Definition:
    """A `$ref`; in v3 anything said beside it needs an `allOf` around it."""
    target = ("#/components/schemas/" if v3 else "#/definitions/") + schema["$ref"]
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    if rest and v3:
        return {"allOf": [{"$ref": target}], **rest}
    return {"$ref": target, **rest}
