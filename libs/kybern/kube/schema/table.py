"""The loaded tables: definitions by name and by group-version-kind, resources by path and by kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from kybern.kube.schema.resources import GroupInfo, ResourceInfo, read_groups, read_resources

Definition = dict[str, Any]
GVK = tuple[str, str, str]


@dataclass(frozen=True)
class Zeros:
    """What becomes of the zero values of a definition's members."""

    drops: frozenset[str] = frozenset()  # absent when zero: decoding cannot tell them from absent ones
    keeps: Mapping[str, Any] = field(default_factory=dict)  # always there, with this zero value


@dataclass(frozen=True)
class Schema:
    """Everything known of the built-in kinds; treat the dicts inside as read-only."""

    definitions: dict[str, Definition]
    names: dict[GVK, str]
    groups: tuple[GroupInfo, ...]
    resources: dict[tuple[str, str, str], ResourceInfo]
    kinds: dict[GVK, ResourceInfo]
    zeros: dict[str, Zeros]  # by the names of definitions

    def definition(self, gvk: GVK) -> Definition | None:
        """The definition of a (group, version, kind), or None."""
        name = self.names.get(gvk)
        return None if name is None else self.definitions[name]

    def resource(self, group: str, version: str, resource: str) -> ResourceInfo | None:
        return self.resources.get((group, version, resource))

    def kind(self, group: str, version: str, kind: str) -> ResourceInfo | None:
        """The resource that serves a kind, or None."""
        return self.kinds.get((group, version, kind))

    def in_group_version(self, group: str, version: str) -> list[ResourceInfo]:
        """The resources of a group-version in upstream's order."""
        return [info for info in self.resources.values() if (info.group, info.version) == (group, version)]

    def resolve(self, schema: Definition) -> Definition:
        """Follow a `$ref`; any other schema is returned as it is."""
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"]]
        return schema


@cache
def load() -> Schema:
    """Read the tables, once."""
    data = files("kybern.kube.schema") / "data"
    definitions: dict[str, Definition] = orjson.loads((data / "definitions.json").read_bytes())
    discovery: dict[str, list[dict[str, Any]]] = orjson.loads((data / "resources.json").read_bytes())
    groups = read_groups(discovery.pop("groups"))
    infos = [info for gv, rows in discovery.items() for info in read_resources(gv, rows)]
    names = {
        (gvk["group"], gvk["version"], gvk["kind"]): name
        for name, schema in definitions.items()
        for gvk in schema.get("x-kubernetes-group-version-kind", ())
    }
    rows: dict[str, dict[str, Any]] = orjson.loads((data / "zeros.json").read_bytes())
    zeros = {name: Zeros(frozenset(row.get("drops", ())), row.get("keeps", {})) for name, row in rows.items()}
    by_resource, by_kind = {info.gvr: info for info in infos}, {info.gvk: info for info in infos}
    return Schema(definitions, names, groups, by_resource, by_kind, zeros)


@cache
def dropped_zeros() -> dict[int, frozenset[str]]:
    """By the identity of a definition, its members that are absent when zero."""
    schema = load()
    return {id(schema.definitions[name]): zeros.drops for name, zeros in schema.zeros.items() if zeros.drops}


def definition(gvk: GVK) -> Definition | None:
    return load().definition(gvk)


def resource(group: str, version: str, resource: str) -> ResourceInfo | None:
    return load().resource(group, version, resource)


def kind(group: str, version: str, kind: str) -> ResourceInfo | None:
    return load().kind(group, version, kind)
