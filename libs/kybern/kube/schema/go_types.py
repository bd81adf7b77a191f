"""What Go calls the types of members and the way to them: errors of decoding name both.

A definition does not tell that a string is a `v1.KeyUsage`, nor that a member belongs to an embedded struct; the table
`go_types.json` does, for the members where that matters. It is read when there is an error to word.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from kybern.kube.schema.table import Definition, load

_STEP = re.compile("\0[^\1]*\1|\\[\\d+\\]|[^.\\[\0]+")


@dataclass(frozen=True)
class Names:
    """Of the members of a definition: the names of types, one for each level of lists and maps; embedded structs."""

    types: Mapping[str, Sequence[str]] = field(default_factory=dict)
    inside: Mapping[str, str] = field(default_factory=dict)


_NONE = Names()
RAW = "io.k8s.apimachinery.pkg.runtime.RawExtension"  # any JSON
FIELDS = "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1"  # read when it is needed
_AGGREGATOR = "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1."
_MORE = {
    _AGGREGATOR + "APIServiceCondition": Names(
        {"status": ["v1.ConditionStatus"], "type": ["v1.APIServiceConditionType"]}
    ),
}


@cache
def _table() -> dict[str, Names]:
    rows: dict[str, dict[str, Any]] = orjson.loads(
        (files("kybern.kube.schema") / "data" / "go_types.json").read_bytes()
    )
    return {**_MORE, **{name: Names(row.get("types", {}), row.get("inside", {})) for name, row in rows.items()}}


def shown(root: Definition, path: str) -> tuple[str, str | None]:
    """A path in an object as Go shows it (no indexes, no keys, embedded structs), and what Go calls the type there.

    The type is None where the definition tells it.
    """
    schema, gvks = root, root.get("x-kubernetes-group-version-kind", ())
    name = load().names.get((gvks[0]["group"], gvks[0]["version"], gvks[0]["kind"]), "") if gvks else ""
    parts: list[str] = []
    levels: Sequence[str] = ()
    for step in _STEP.findall(path):
        if step[0] in "\0[":
            schema, levels = schema.get("items") or schema.get("additionalProperties") or {}, levels[1:]
        else:
            names = _table().get(name, _NONE)
            parts.append(names.inside.get(step, "") + step)
            schema, levels = schema.get("properties", {}).get(step, {}), names.types.get(step, ())
        if "$ref" in schema:
            name = schema["$ref"]
            schema = load().definitions[name]
    return ".".join(parts), levels[0] if levels else None


def is_raw(root: Definition, path: str) -> bool:
    """Whether a path as errors write it lies in what may be any JSON."""
    schema: Definition = root
    for step in re.findall(r"\[\d+\]|[^.\[]+", path):
        if schema.get("$ref") == RAW:
            return True
        if "$ref" in schema:
            schema = load().definitions[schema["$ref"]]
        inner = schema.get("items") if step[0] == "[" else None
        found = inner or schema.get("properties", {}).get(step) or schema.get("additionalProperties")
        if not isinstance(found, dict):
            return False
        schema = found
    return False


def put(obj: Any, path: str, value: Any) -> None:
    """Set what is at a path of an object."""
    *steps, last = (int(step[1:-1]) if step[0] == "[" else step.strip("\0\1") for step in _STEP.findall(path))
    for step in steps:
        obj = obj[step]
    obj[last] = value
