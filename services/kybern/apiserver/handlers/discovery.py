"""Discovery: the resource table and its schemas, for gateways."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterable
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from kybern.apiserver.core.remote_discovery import merge_v2
from kybern.apiserver.crd import published
from kybern.apiserver.server import ApiServer
from kybern.kube.status import not_found
from kybern.kube.structural import CustomKind
from kybern.protos.api.v1 import discovery_pb2 as pb
from kybern.protos.api.v1.discovery_pb2_grpc import DiscoveryServicer


def build_table(server: ApiServer) -> pb.ResourceTable:
    """Everything served, as a message."""
    table = pb.ResourceTable(etag=str(server.table.etag), audited=server.audit is not None)
    for group, versions in server.aggregator.remotes.order():
        info = table.groups.add(name=group)
        for version in versions:
            remote = server.aggregator.remotes.known.get((group, version))
            if remote is not None:
                remote.show(info.versions.add(version=version))
                continue
            shown = info.versions.add(version=version, openapi_hash=openapi_hash(server, group, version))
            for served in server.table.in_group_version(group, version):
                resource = served.info
                row = shown.resources.add(
                    name=resource.resource,
                    singular_name=resource.singular,
                    kind=resource.kind,
                    namespaced=resource.namespaced,
                    verbs=_in_order(resource.verbs, served.custom),
                    short_names=resource.short_names,
                    categories=resource.categories,
                )
                if served.custom is not None:
                    row.warning, row.list_kind = served.custom.warning, resource.list_kind
                    _add_columns(row, served.custom)
                if served.cacher is not None:
                    row.storage_version_hash = _hash(*served.stored.gvk)
                for sub in resource.subresources.values():
                    same = (sub.group, sub.version) == (resource.group, resource.version)
                    row.subresources.add(
                        name=sub.name,
                        kind=sub.kind,
                        group="" if same else sub.group,
                        version="" if same else sub.version,
                        verbs=sorted(sub.verbs),
                    )
    return table


_WRITES = frozenset({"create", "patch", "update"})
_CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


def _in_order(verbs: Iterable[str], custom: CustomKind | None) -> list[str]:
    """Verbs as discovery lists them: sorted, but for those of custom resources; nothing is written to what is going."""
    if custom is None:
        return sorted(verbs)
    return [verb for verb in _CUSTOM_VERBS if verb in verbs and not (custom.ending and verb in _WRITES)]


def _add_columns(row: pb.ResourceInfo, custom: CustomKind) -> None:
    for column in custom.columns:
        row.columns.add(
            name=column["name"],
            type=column["type"],
            format=column.get("format") or "",
            priority=column.get("priority") or 0,
            json_path=column["jsonPath"],
            description=column.get("description")
            or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}",
        )


def openapi_hash(server: ApiServer, group: str, version: str) -> str:
    """Changes when the document does; that of everything has the version ""."""
    custom = published.of_group_version(server, group, version) if version else published.of_everything(server)
    others = "" if version else server.aggregator.remotes.digest()
    text = f"{_tables()}/{group}/{version}/{published.digest(custom)}{others}"
    return hashlib.sha256(text.encode()).hexdigest().upper()


@cache
def _tables() -> str:
    data = (files("kybern.kube.schema") / "data" / "definitions.json").read_bytes()
    return hashlib.sha256(data).hexdigest()


# Upstream keeps these in a version before the one it prefers, which only this hash tells.
_KEPT_AS = {
    "MutatingAdmissionPolicy": "v1beta1",
    "MutatingAdmissionPolicyBinding": "v1beta1",
    "CustomResourceDefinition": "v1beta1",
}
_THEIRS = frozenset({"admissionregistration.k8s.io", "apiextensions.k8s.io"})


def _hash(group: str, version: str, kind: str) -> str:
    if group in _THEIRS:
        version = _KEPT_AS.get(kind, version)
    return base64.b64encode(hashlib.sha256(f"{group}/{version}/{kind}".encode()).digest()[:8]).decode()


class Discovery(DiscoveryServicer):
    """kybern.api.v1.Discovery."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._documents: dict[tuple[str, str], tuple[str, bytes]] = {}  # (group, version) → hash, document

    async def GetResources(self, request: pb.GetResourcesRequest, context: Any) -> pb.GetResourcesResponse:
        return pb.GetResourcesResponse(table=build_table(self._server))

    async def WatchResources(
        self, request: pb.WatchResourcesRequest, context: Any
    ) -> AsyncIterator[pb.WatchResourcesResponse]:
        while True:
            seen = self._server.table.etag
            yield pb.WatchResourcesResponse(table=build_table(self._server))
            await self._server.table.changed(seen)

    async def GetOpenAPI(self, request: pb.GetOpenAPIRequest, context: Any) -> pb.GetOpenAPIResponse:
        whole = request.openapi_version == "v2"
        group, version = ("", "") if whole else (request.group, request.version)
        remote = self._server.aggregator.remotes.known.get((group, version))
        if remote is not None:
            if not remote.v3:
                raise not_found("", "openapi", f"{group}/{version}")
            return pb.GetOpenAPIResponse(document=remote.v3, hash=remote.v3_hash)
        made_of = openapi_hash(self._server, group, version)
        known_hash, document = self._documents.get((group, version), ("", b""))
        if known_hash != made_of:
            if whole:
                made = await asyncio.to_thread(published.v2, published.of_everything(self._server))
                if others := self._server.aggregator.remotes.documents():
                    made = await asyncio.to_thread(merge_v2, made, others)
            else:
                custom = published.of_group_version(self._server, group, version)
                made = await asyncio.to_thread(published.v3, group, version, custom)
            if made is None:
                raise not_found("", "openapi", f"{group}/{version}")
            document = orjson.dumps(made)
            self._documents[(group, version)] = (made_of, document)
        return pb.GetOpenAPIResponse(document=document, hash=made_of)
