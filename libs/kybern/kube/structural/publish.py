"""Publishing: a custom kind as OpenAPI definitions, whole in v3, reduced to what v2 can say."""

from collections.abc import Sequence
from typing import Any

from kybern.kube.structural.node import Definition

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
API_VERSION = (
    "APIVersion defines the versioned schema of this representation of an object, such as apps/v1. "
    "Servers convert known schemas and may reject unknown ones."
)
KIND = "Kind says which resource this object represents, in CamelCase. It cannot be updated."
_GVK = "x-kubernetes-group-version-kind"
_NOT_IN_V2 = ("allOf", "anyOf", "oneOf", "not", "nullable", "default")
_NUMBER_OR_TEXT = [{"type": "integer"}, {"type": "string"}]
SELECTABLE = "x-kubernetes-selectable-fields"


def definition_name(group: str, version: str, kind: str) -> str:
    """`com.example.stable.v1.CronTab`."""
    return ".".join([*reversed(group.split(".")), version, kind])


def definitions(
    group: str, version: str, kind: str, list_kind: str, schema: Definition, selectable: Sequence[str] = ()
) -> dict[str, Definition]:
    """The kind and its list; references are bare names, as in the tables of built-in kinds. `selectable` has paths."""
    name = definition_name(group, version, kind)
    item = _resource(schema)
    item[_GVK] = [{"group": group, "version": version, "kind": kind}]
    strings = {"apiVersion": _text(API_VERSION), "kind": _text(KIND)}
    listed: Definition = {
        "description": f"{list_kind} is a list of {kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            **strings,
            "items": {"description": "The objects of this list.", "type": "array", "items": {"$ref": name}},
            "metadata": {"$ref": _META + "ListMeta"},
        },
        _GVK: [{"group": group, "version": version, "kind": list_kind}],
    }
    if selectable:
        item[SELECTABLE] = listed[SELECTABLE] = [{"fieldPath": path.removeprefix(".")} for path in selectable]
    return {name: item, definition_name(group, version, list_kind): listed}


def _text(description: str) -> Definition:
    return {"description": description, "type": "string"}


def _resource(schema: Definition) -> Definition:
    """The schema with the members that every object has; embedded resources get them too."""
    written = _walk(schema)
    if not schema.get("type") and schema.get("x-kubernetes-preserve-unknown-fields"):
        written["type"] = "object"
    if schema.get("x-kubernetes-embedded-resource"):
        named = schema.get("required") or []
        written["required"] = [*named, *(name for name in ("kind", "apiVersion") if name not in named)]
    written["properties"] = {
        "apiVersion": _text(API_VERSION),
        "kind": _text(KIND),
        "metadata": {"$ref": _META + "ObjectMeta"},
        **{n: p for n, p in (written.get("properties") or {}).items() if n not in ("apiVersion", "kind", "metadata")},
    }
    return written


def _walk(schema: Definition) -> Definition:
    out = dict(schema)
    if schema.get("x-kubernetes-int-or-string") and not schema.get("anyOf") and not _says_either(schema):
        out["anyOf"] = _NUMBER_OR_TEXT
    if "properties" in schema:
        out["properties"] = {
            name: _resource(part) if part.get("x-kubernetes-embedded-resource") else _walk(part)
            for name, part in schema["properties"].items()
        }
    for name in ("items", "additionalProperties"):
        part = schema.get(name)
        if isinstance(part, dict):
            out[name] = _resource(part) if part.get("x-kubernetes-embedded-resource") else _walk(part)
    return out


def _says_either(schema: Definition) -> bool:
    return any(part.get("anyOf") == _NUMBER_OR_TEXT for part in schema.get("allOf") or ())


def for_v2(schema: Definition) -> Definition:
    """What OpenAPI v2 can say: no alternatives, no nulls; a value of several types has none.

    Clients of v2 take fields that are not listed for wrong, so that where any are kept, none is listed.
    """
    if schema.get("x-kubernetes-preserve-unknown-fields") and _GVK in schema:
        return {"type": "object", **{name: schema[name] for name in (_GVK, SELECTABLE) if name in schema}}
    out: dict[str, Any] = {name: value for name, value in schema.items() if name not in _NOT_IN_V2}
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        for name in ("properties", "items", "additionalProperties", "required"):
            out.pop(name, None)
        if out.get("type") == "object":
            del out["type"]
    if out.get("type") == "array" and "items" not in out:
        del out["type"]
    if schema.get("nullable"):
        for name in ("type", "properties", "items", "additionalProperties"):
            out.pop(name, None)
    if "properties" in out:
        out["properties"] = {name: for_v2(part) for name, part in out["properties"].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(out.get(name), dict):
            out[name] = for_v2(out[name])
    return out
