"""Generate the schema tables that ship with Kybern from published definitions and the facts in tools/facts.

    tools/schema.py            write libs/kybern/kube/schema/data/*.json
    tools/schema.py --check    exit 1 when the committed tables are out of date

Input is the definitions file of the PyPI package `kubernetes-validate` (development dependency). That package loosens
every optional field to allow null and rewrites int-or-string types; both are undone here, prose is dropped, and
enumerations and defaults measured on a server are added. Only what served group-versions reach is kept.
"""

import argparse
import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from kybern.kube.schema.decode_words import go_type

JSON = dict[str, Any]
VERSION = "1.36"
ROOT = Path(__file__).resolve().parent.parent
FACTS = ROOT / "tools" / "facts"
DATA = ROOT / "libs" / "kybern" / "kube" / "schema" / "data"

_KEPT = ("type", "format", "required", "properties", "items", "additionalProperties")
_SPECIAL: dict[str, JSON] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": "string", "format": "int-or-string"},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string", "format": "quantity"},
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": {"type": "string", "format": "micro-time"},
}
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_ALWAYS = tuple(
    _META + name
    for name in (
        "APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "DeleteOptions", "Status", "WatchEvent",
    )
)  # fmt: skip


def load_definitions() -> dict[str, JSON]:
    """The published definitions, as they come."""
    path = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{VERSION}.0-local" / "_definitions.json"
    definitions: dict[str, JSON] = json.loads(path.read_text())["$defs"]
    return definitions


def clean(schema: JSON) -> JSON:
    """One schema node with the package's loosenings undone and prose dropped; `$ref` becomes a bare name."""
    if "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key.startswith("x-kubernetes-")}
        return {"$ref": schema["$ref"].removeprefix("#/$defs/"), **rest}
    out: JSON = {}
    for key in _KEPT:
        if key in schema:
            out[key] = schema[key]
    if isinstance(out.get("type"), list):
        (out["type"],) = (name for name in out["type"] if name != "null")
    if "properties" in out:
        out["properties"] = {name: clean(value) for name, value in sorted(out["properties"].items())}
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), dict):
            out[key] = clean(out[key])
    out.update((key, value) for key, value in sorted(schema.items()) if key.startswith("x-kubernetes-"))
    return out


def add_facts(definitions: dict[str, JSON], enums: dict[str, list[str]], defaults: JSON) -> None:
    """Attach measured enumerations and defaults to their properties."""
    for path, values in enums.items():
        schema = _property(definitions, path.removesuffix("[]"))
        (schema["items"] if path.endswith("[]") else schema)["enum"] = values
    for path, value in defaults.items():
        _property(definitions, path)["default"] = value


def _property(definitions: dict[str, JSON], path: str) -> JSON:
    definition, _, name = path.rpartition(".")
    schema: JSON = definitions[definition]["properties"][name]
    return schema


def served_kinds(discovery: JSON) -> set[tuple[str, str, str]]:
    """(group, version, kind) of every resource and subresource in discovery."""
    kinds = set()
    for group_version, resources in discovery["resources"].items():
        group, _, version = group_version.rpartition("/")
        for resource in resources:
            kinds.add((resource.get("group", group), resource.get("version", version), resource["kind"]))
    return kinds


def reachable(definitions: dict[str, JSON], roots: set[str]) -> set[str]:
    seen: set[str] = set()
    todo = sorted(roots)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(_references(definitions[name]))
    return seen


def _references(schema: JSON) -> list[str]:
    found = [schema["$ref"]] if "$ref" in schema else []
    for child in schema.get("properties", {}).values():
        found += _references(child)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            found += _references(schema[key])
    return found


def build_definitions(discovery: JSON, facts: JSON) -> dict[str, JSON]:
    """name → schema, for everything that a served kind (or its list) reaches."""
    raw = load_definitions()
    definitions = {name: clean(schema) for name, schema in raw.items()}
    definitions.update(_SPECIAL)
    add_facts(definitions, facts["enums"], facts["defaults"])
    kinds = served_kinds(discovery)
    kinds |= {(group, version, f"{kind}List") for group, version, kind in kinds}
    roots = set(_ALWAYS)
    for name, schema in definitions.items():
        for gvk in schema.get("x-kubernetes-group-version-kind", ()):
            if (gvk["group"], gvk["version"], gvk["kind"]) in kinds:
                roots.add(name)
    kept = reachable(definitions, roots)
    return {name: definitions[name] for name in sorted(kept)}


_AGGREGATION = "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1."
_AGGREGATION_ZEROS: dict[str, JSON] = {  # of types in a Go module that tools/zeros.py does not ask
    "APIService": {"drops": ["apiVersion", "kind"], "keeps": {"metadata": {}, "spec": {}, "status": {}}},
    "APIServiceCondition": {
        "drops": ["message", "reason"],
        "keeps": {"lastTransitionTime": None, "status": "", "type": ""},
    },
    "APIServiceSpec": {
        "drops": ["caBundle", "group", "insecureSkipTLSVerify", "version"],
        "keeps": {"groupPriorityMinimum": 0, "versionPriority": 0},
    },
    "APIServiceStatus": {"drops": ["conditions"]},
    "ServiceReference": {"drops": ["name", "namespace"]},
}


def build_zeros(definitions: dict[str, JSON], facts: JSON) -> dict[str, JSON]:
    """name → what becomes of the zero values of its members, for the definitions that are kept."""
    kept = {name: row for name, row in facts.items() if name in definitions}
    kept[_META + "ObjectMeta"]["drops"].remove("managedFields")  # an empty list asks for a reset
    return {**kept, **{_AGGREGATION + name: row for name, row in _AGGREGATION_ZEROS.items()}}


def build_go_types(definitions: dict[str, JSON], facts: JSON) -> dict[str, JSON]:
    """name → what errors call the types of members, where that does not follow from the definition."""
    found = {}
    for name, row in facts.items():
        properties = definitions.get(name, {}).get("properties", {})
        types = {
            member: levels
            for member, levels in row.get("types", {}).items()
            if member in properties and levels != _levels(definitions, properties[member])
        }
        inside = {member: path for member, path in row.get("inside", {}).items() if member in properties}
        if types or inside:
            found[name] = {**({"types": types} if types else {}), **({"inside": inside} if inside else {})}
    return found


def _levels(definitions: dict[str, JSON], schema: JSON) -> list[str]:
    """What the definition says of a type's name, and of what it holds."""
    inner = schema.get("items") or schema.get("additionalProperties")
    return [go_type(schema), *(_levels(definitions, inner) if inner else [])]


def one_line_each(entries: dict[str, Any]) -> str:
    """JSON with one entry a line: compact, and a change is a readable diff."""
    lines = (f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in entries.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def build() -> dict[str, str]:
    """File name → content of every generated table."""
    read = {
        name: json.loads((FACTS / f"{name}-{VERSION}.json").read_text())
        for name in ("discovery", "enums-defaults", "table-columns", "zero-values", "go-types")
    }
    discovery = read["discovery"]
    definitions = build_definitions(discovery, read["enums-defaults"])
    return {
        "definitions.json": one_line_each(definitions),
        "zeros.json": one_line_each(build_zeros(definitions, read["zero-values"])),
        "go_types.json": one_line_each(build_go_types(definitions, read["go-types"])),
        "resources.json": one_line_each({"groups": discovery["groups"], **discovery["resources"]}),
        "columns.json": one_line_each(read["table-columns"]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Generate the schema tables")
    parser.add_argument("--check", action="store_true", help="only say whether the committed tables are up to date")
    check = parser.parse_args().check
    stale = 0
    for name, text in build().items():
        path = DATA / name
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        if check:
            print(f"{path.relative_to(ROOT)} is out of date: run tools/schema.py", file=sys.stderr)
        else:
            DATA.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)} ({len(text) // 1024} KB)")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
