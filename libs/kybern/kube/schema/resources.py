"""Resources: what the server says of itself in discovery, as frozen values in upstream's order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kybern.kube.meta import join_group_version
from kybern.kube.schema.columns import Column, columns

# Where the version that objects are stored in is not the group's preferred one, or not in the same group at all.
_STORAGE: dict[tuple[str, str], tuple[str, str]] = {
    ("autoscaling", "horizontalpodautoscalers"): ("autoscaling", "v2"),
    ("events.k8s.io", "events"): ("", "v1"),
}


@dataclass(frozen=True)
class SubresourceInfo:
    """One subresource; group, version and kind are those of the object it is read and written as."""

    name: str
    kind: str
    group: str
    version: str
    verbs: frozenset[str]

    @property
    def api_version(self) -> str:
        return join_group_version(self.group, self.version)


@dataclass(frozen=True)
class ResourceInfo:
    """One resource of one group-version."""

    group: str
    version: str
    resource: str
    kind: str
    singular: str
    namespaced: bool
    verbs: frozenset[str]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: Mapping[str, SubresourceInfo] = field(default_factory=dict, hash=False)
    own_list_kind: str = ""  # where its definition names one

    @cached_property
    def api_version(self) -> str:
        """As in an object's `apiVersion`: `v1`, `apps/v1`."""
        return join_group_version(self.group, self.version)

    @property
    def list_kind(self) -> str:
        return self.own_list_kind or f"{self.kind}List"

    @cached_property
    def gvk(self) -> tuple[str, str, str]:
        return self.group, self.version, self.kind

    @cached_property
    def gvr(self) -> tuple[str, str, str]:
        return self.group, self.version, self.resource

    @property
    def columns(self) -> tuple[Column, ...]:
        return columns(self.group, self.version, self.resource)

    @property
    def storage(self) -> tuple[str, str]:
        """(group, version) that every version of this resource is stored in."""
        return _STORAGE.get((self.group, self.resource), (self.group, self.version))

    @property
    def storage_api_version(self) -> str:
        return join_group_version(*self.storage)

    @property
    def qualified(self) -> str:
        """As in error messages: `pods`, `deployments.apps`."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


@dataclass(frozen=True)
class GroupInfo:
    """A named API group: its versions, most preferred first. The core group has the empty name."""

    name: str
    versions: tuple[str, ...]
    preferred: str


def read_groups(raw: list[dict[str, Any]]) -> tuple[GroupInfo, ...]:
    core = GroupInfo("", ("v1",), "v1")
    named = (GroupInfo(entry["name"], tuple(entry["versions"]), entry["preferred"]) for entry in raw)
    return (core, *named)


def read_resources(group_version: str, rows: list[dict[str, Any]]) -> list[ResourceInfo]:
    """The resources of one group-version, each with its subresources."""
    group, _, version = group_version.rpartition("/")
    subresources: dict[str, dict[str, SubresourceInfo]] = {}
    for row in rows:
        parent, slash, name = row["name"].partition("/")
        if slash:
            subresources.setdefault(parent, {})[name] = SubresourceInfo(
                name, row["kind"], row.get("group", group), row.get("version", version), frozenset(row["verbs"])
            )
    return [
        ResourceInfo(
            group=group,
            version=version,
            resource=row["name"],
            kind=row["kind"],
            singular=row.get("singularName", ""),
            namespaced=row["namespaced"],
            verbs=frozenset(row["verbs"]),
            short_names=tuple(row.get("shortNames", ())),
            categories=tuple(row.get("categories", ())),
            subresources=subresources.get(row["name"], {}),
        )
        for row in rows
        if "/" not in row["name"]
    ]
