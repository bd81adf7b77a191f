"""Remotes: which group versions extension API servers answer, what they last said of them, and the order of all groups.

The gateways learn of it by the resource table, whose etag grows with each change here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kybern.apiserver.core import api_services
from kybern.apiserver.core.api_services import Priority
from kybern.apiserver.crd.definition import version_order
from kybern.protos.api.v1.discovery_pb2 import ResourceInfo, VersionInfo

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

GroupVersion = tuple[str, str]


@dataclass
class Remote:
    """One group version; `stale` until its server has said what it serves, and while it does not answer."""

    stale: bool = True
    rows: list[dict[str, Any]] = field(default_factory=list)  # of `remote_discovery.resource_rows`
    v3: bytes = b""
    v3_hash: str = ""
    v2: Mapping[str, Any] | None = None
    v2_etag: str = ""

    def show(self, shown: VersionInfo) -> None:
        """Fill in what the resource table says of it."""
        shown.remote, shown.stale, shown.openapi_hash = True, self.stale, self.v3_hash
        for row in self.rows:
            info = shown.resources.add(
                name=row["name"],
                singular_name=row.get("singularName") or "",
                kind=row.get("kind") or "",
                namespaced=bool(row.get("namespaced")),
                verbs=row.get("verbs") or (),
                short_names=row.get("shortNames") or (),
                categories=row.get("categories") or (),
                storage_version_hash=row.get("storageVersionHash") or "",
            )
            _add_subresources(info, row["subresources"])


def _add_subresources(info: ResourceInfo, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        info.subresources.add(
            name=row["name"],
            kind=row.get("kind") or "",
            group=row.get("group") or "",
            version=row.get("version") or "",
            verbs=row.get("verbs") or (),
        )


class Remotes:
    """See the module's docstring."""

    def __init__(self, server: "ApiServer") -> None:
        self._server = server
        self.known: dict[GroupVersion, Remote] = {}
        self._built_in = {(group.name, version) for group in server.table.groups for version in group.versions}

    def put(self, at: GroupVersion, remote: Remote) -> None:
        """What is known of a group version now."""
        before = self.known.get(at)
        if before == remote:
            return
        self.known[at] = remote
        self._server.table.announce()

    def drop(self, at: GroupVersion) -> None:
        """No extension API server answers it any more."""
        if self.known.pop(at, None) is not None:
            self._server.table.announce()

    def order(self) -> list[tuple[str, tuple[str, ...]]]:
        """Groups with their versions, most preferred first: local ones and others."""
        groups = self._server.table.groups
        if not self.known:
            return [(group.name, group.versions) for group in groups]
        priorities: dict[GroupVersion, Priority] = {}
        for group in groups:
            for version in group.versions:
                at = (group.name, version)
                built_in = at in self._built_in
                priorities[at] = api_services.built_in_priority(*at) if built_in else api_services.CUSTOM
        cacher = self._server.table.cacher(api_services.GROUP, api_services.RESOURCE)
        for at in self.known:
            entry = cacher.get("", api_services.name_of(*at))
            if entry is not None:
                priorities[at] = api_services.priority_of(entry.decode())
        return api_services.group_order(priorities, version_order)

    def documents(self) -> list[tuple[str, str, Mapping[str, Any]]]:
        """(group, version, OpenAPI v2 document) of those that have one."""
        return [(*at, remote.v2) for at, remote in sorted(self.known.items()) if remote.v2 is not None]

    def digest(self) -> str:
        """Changes when one of `documents` does."""
        return " ".join(f"{g}/{v}/{r.v2_etag}" for (g, v), r in sorted(self.known.items()) if r.v2 is not None)
