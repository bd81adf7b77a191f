"""Discovery documents, classic and aggregated, from the apiserver's resource table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kybern.kube.meta import join_group_version
from kybern.kube.tables.table import is_built_in
from kybern.protos.api.v1.discovery_pb2 import GroupInfo, ResourceInfo, ResourceTable, SubresourceInfo, VersionInfo

Document = dict[str, Any]
AGGREGATED = "apidiscovery.k8s.io"


def api_versions(table: ResourceTable, server_address: str) -> Document:
    """GET /api."""
    core = next((group for group in table.groups if not group.name), None)
    return {
        "kind": "APIVersions",
        "versions": [version.version for version in core.versions] if core is not None else [],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    }


def api_group_list(table: ResourceTable) -> Document:
    """GET /apis."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(g) for g in table.groups if g.name]}


def api_group(group: GroupInfo) -> Document:
    """GET /apis/GROUP."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}


def _group(group: GroupInfo) -> Document:
    versions = [
        {"groupVersion": join_group_version(group.name, version.version), "version": version.version}
        for version in group.versions
    ]
    return {"name": group.name, "versions": versions, "preferredVersion": versions[0]}


def api_resource_list(group: str, version: VersionInfo) -> Document:
    """GET /api/v1 and /apis/GROUP/VERSION."""
    resources = [entry for info in version.resources for entry in _resource_entries(group, version.version, info)]
    gv = join_group_version(group, version.version)
    head = {"kind": "APIResourceList", "apiVersion": "v1"} if group else {"kind": "APIResourceList"}
    return {**head, "groupVersion": gv, "resources": resources}


def _resource_entries(group: str, version: str, info: ResourceInfo) -> Iterable[Document]:
    entry: Document = {
        "name": info.name,
        "singularName": info.singular_name,
        "namespaced": info.namespaced,
        "kind": info.kind,
        "verbs": list(info.verbs),
    }
    if info.short_names:
        entry["shortNames"] = list(info.short_names)
    if info.categories:
        entry["categories"] = list(info.categories)
    if info.storage_version_hash:
        entry["storageVersionHash"] = info.storage_version_hash
    if info.verbs:
        yield entry
    for sub in info.subresources:
        sub_entry: Document = {
            "name": f"{info.name}/{sub.name}",
            "singularName": "",
            "namespaced": info.namespaced,
            "kind": sub.kind,
            "verbs": list(sub.verbs),
        }
        if sub.version and (sub.group, sub.version) != (group, version):
            sub_entry |= {"group": sub.group, "version": sub.version}
        yield sub_entry


def aggregated(table: ResourceTable, legacy: bool, version: str) -> Document:
    """APIGroupDiscoveryList of /api (the core group) or /apis (the others)."""
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"{AGGREGATED}/{version}",
        "metadata": {},
        "items": [_aggregated_group(group) for group in table.groups if bool(group.name) is not legacy],
    }


def _aggregated_group(group: GroupInfo) -> Document:
    return {
        "metadata": {"name": group.name} if group.name else {},
        "versions": [_aggregated_version(group.name, version) for version in group.versions],
    }


def _aggregated_version(group: str, version: VersionInfo) -> Document:
    resources = _aggregated_resources(group, version)
    return {
        "version": version.version,
        **({"resources": resources} if resources else {}),
        "freshness": "Stale" if version.stale else "Current",
    }


# Built-in groups of reviews alone, which nobody lists.
_REVIEWS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})


def _aggregated_resources(group: str, version: VersionInfo) -> list[Document]:
    """Of built-in resources the group and version of what they answer go without saying."""
    built_in = group in _REVIEWS or any(is_built_in(group, version.version, info.name) for info in version.resources)
    kind = {"group": "", "version": ""} if built_in else {"group": group, "version": version.version}
    return [_aggregated_resource(kind, info) for info in version.resources]


def _aggregated_resource(group_version: Document, info: ResourceInfo) -> Document:
    found: Document = {
        "resource": info.name,
        "responseKind": {**group_version, "kind": info.kind},
        "scope": "Namespaced" if info.namespaced else "Cluster",
        "singularResource": info.singular_name,
        "verbs": list(info.verbs),
    }
    if info.short_names:
        found["shortNames"] = list(info.short_names)
    if info.categories:
        found["categories"] = list(info.categories)
    if info.subresources:
        found["subresources"] = [_aggregated_subresource(group_version, sub) for sub in info.subresources]
    return found


def _aggregated_subresource(group_version: Document, sub: SubresourceInfo) -> Document:
    kind = {"group": sub.group, "version": sub.version} if sub.version else group_version
    return {"subresource": sub.name, "responseKind": {**kind, "kind": sub.kind}, "verbs": list(sub.verbs)}


def openapi_v3_index(table: ResourceTable) -> Document:
    """GET /openapi/v3: where each group-version's document is, with a hash that changes when it does."""
    return {
        "paths": {
            path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={found}"}
            for path, found in sorted(
                (gv_path(group.name, version.version), version.openapi_hash)
                for group in table.groups
                for version in group.versions
                if version.openapi_hash
            )
        }
    }


def gv_path(group: str, version: str) -> str:
    """ "api/v1" or "apis/apps/v1"."""
    return f"apis/{group}/{version}" if group else f"api/{version}"


def root_paths(table: ResourceTable, others: Iterable[str]) -> Document:
    """GET /: every path there is to ask for."""
    paths = {"/api", "/apis", *others}
    for group in table.groups:
        if group.name:
            paths.add(f"/apis/{group.name}")
        paths.update(f"/{gv_path(group.name, version.version)}" for version in group.versions)
    return {"paths": sorted(paths)}
