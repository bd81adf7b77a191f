"""Discovery: the resource table and its schemas, for gateways."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from kybern.apiserver.server import ApiServer
from kybern.kube import openapi
from kybern.kube.status import not_found
from kybern.protos.api.v1 import discovery_pb2 as pb
from kybern.protos.api.v1.discovery_pb2_grpc import DiscoveryServicer


def build_table(server: ApiServer) -> pb.ResourceTable:
    """Everything served, as a message."""
    table = pb.ResourceTable(etag=str(server.table.etag))
    for group in server.table.groups:
        info = table.groups.add(name=group.name)
        for version in group.versions:
            shown = info.versions.add(version=version, openapi_hash=openapi_hash(server, group.name, version))
            for served in server.table.in_group_version(group.name, version):
                resource = served.info
                row = shown.resources.add(
                    name=resource.resource,
                    singular_name=resource.singular,
                    kind=resource.kind,
                    namespaced=resource.namespaced,
                    verbs=sorted(resource.verbs),
                    short_names=resource.short_names,
                    categories=resource.categories,
                )
                if served.cacher is not None:
                    row.storage_version_hash = _hash(served.stored.api_version, served.stored.kind)
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


def openapi_hash(server: ApiServer, group: str, version: str) -> str:
    """Changes when the document does: documents follow from the schema tables and the resource table."""
    text = f"{_tables()}/{server.table.etag}/{group}/{version}"
    return hashlib.sha256(text.encode()).hexdigest().upper()


@cache
def _tables() -> str:
    data = (files("kybern.kube.schema") / "data" / "definitions.json").read_bytes()
    return hashlib.sha256(data).hexdigest()


def _hash(api_version: str, kind: str) -> str:
    return base64.b64encode(hashlib.sha256(f"{api_version}/{kind}".encode()).digest()[:8]).decode()


class Discovery(DiscoveryServicer):
    """kybern.api.v1.Discovery."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._documents: dict[tuple[str, str, str], bytes] = {}

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
        key = (request.openapi_version, request.group, request.version)
        document = self._documents.get(key)
        if document is None:
            made = await asyncio.to_thread(_document, *key)
            if made is None:
                raise not_found("", "openapi", f"{request.group}/{request.version}")
            document = self._documents[key] = orjson.dumps(made)
        return pb.GetOpenAPIResponse(document=document, hash=openapi_hash(self._server, request.group, request.version))


def _document(openapi_version: str, group: str, version: str) -> Any:
    if openapi_version == "v2":
        return openapi.v2()
    return openapi.v3(group, version)
