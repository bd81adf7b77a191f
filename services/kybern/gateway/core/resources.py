"""The served resources by path, indexed from the apiserver's table: what routing and printing ask for."""

from __future__ import annotations

from dataclasses import dataclass

from kybern.gateway.core.deprecations import DEPRECATED
from kybern.kube import protobuf
from kybern.kube.meta import join_group_version
from kybern.kube.tables import table
from kybern.kube.tables.table import Column, Printing
from kybern.protos.api.v1.discovery_pb2 import ResourceInfo, ResourceTable


@dataclass(frozen=True, slots=True)
class Served:
    """One resource of one version."""

    group: str
    version: str
    resource: str
    kind: str
    namespaced: bool
    verbs: frozenset[str]
    subresources: dict[str, frozenset[str]]
    printing: Printing
    warning: str = ""  # of a deprecated kind or version
    custom: bool = False  # objects have no protobuf form
    list_kind: str = ""

    @property
    def api_version(self) -> str:
        return join_group_version(self.group, self.version)

    def allows(self, verb: str, subresource: str) -> bool:
        return verb in (self.subresources.get(subresource, ()) if subresource else self.verbs)


class Resources:
    """An immutable index once made; replaced when the table changes."""

    def __init__(self, found: ResourceTable | None = None) -> None:
        self.table = found if found is not None else ResourceTable()
        self._served = {
            (group.name, version.version, info.name): Served(
                group.name,
                version.version,
                info.name,
                info.kind,
                info.namespaced,
                frozenset(info.verbs),
                {sub.name: frozenset(sub.verbs) for sub in info.subresources},
                _printing(group.name, version.version, info),
                info.warning or DEPRECATED.get((group.name, version.version, info.name), ""),
                not protobuf.has_form(join_group_version(group.name, version.version), info.kind),
                info.list_kind or f"{info.kind}List",
            )
            for group in self.table.groups
            for version in group.versions
            if not version.remote
            for info in version.resources
        }
        self.own_groups = frozenset(served.group for served in self._served.values() if not served.custom)
        self.remote = frozenset(
            (group.name, version.version) for group in self.table.groups for version in group.versions if version.remote
        )  # what extension API servers answer

    def find(self, group: str, version: str, resource: str) -> Served | None:
        return self._served.get((group, version, resource))

    def __len__(self) -> int:
        return len(self._served)


def _printing(group: str, version: str, info: ResourceInfo) -> Printing:
    columns = tuple(Column(c.name, c.type, c.format, c.priority, c.json_path, c.description) for c in info.columns)
    if columns or not table.is_built_in(group, version, info.name):
        return table.custom(columns)
    return table.built_in(group, version, info.name)
